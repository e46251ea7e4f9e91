/** What can be wrong with a trail, the most basic first: an edit is reported as the first kind that it is. */
export const faultKinds = [
  "damaged",
  "altered",
  "unreadable",
  "mislabeled",
  "missing",
  "out_of_order",
  "unlinked",
  "cut",
  "rewritten",
] as const;

export type FaultKind = (typeof faultKinds)[number];

/** Where something is wrong, and what, in one sentence. */
export interface Finding {
  /** `<stream>:<seq>`; absent when it is the store as a whole. */
  readonly id?: string;
  readonly position?: number;
  readonly what: string;
}

/** All that was found of one kind: how often, and the first of them. */
export interface Fault {
  readonly kind: FaultKind;
  readonly count: number;
  readonly first: Finding;
}

/** Collects what is found, in constant memory. */
export class Findings {
  readonly #faults = new Map<FaultKind, { count: number; readonly first: Finding }>();

  add(kind: FaultKind, finding: Finding): void {
    const known = this.#faults.get(kind);
    if (known) known.count += 1;
    else this.#faults.set(kind, { count: 1, first: finding });
  }

  /** One entry for each kind that was found, in the order of `faultKinds`. */
  list(): Fault[] {
    return faultKinds.flatMap((kind) => {
      const found = this.#faults.get(kind);
      return found ? { kind, ...found } : [];
    });
  }
}
