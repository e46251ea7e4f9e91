/** A token at hand. Two are told apart by generation, never by value. */
export interface HeldToken {
  readonly value: string;
  /** Counted from 1, in the order in which tokens came. */
  readonly generation: number;
  /** Monotonic ms. */
  readonly takenAt: number;
  /** When it is over, in monotonic ms, so that no jump of the wall clock ends it; undefined when that is not known. */
  readonly endsAt: number | undefined;
  /** The same by Coze's clock, in ms since the epoch: to be told, not to be reckoned with. */
  readonly expiresAt: number | undefined;
}

/** One use of a token for one attempt, as far as the choice is concerned. */
export interface ChosenUse {
  readonly generation: number;
  /** The generation that Coze rejected in the same call before, when this is the repeat. */
  readonly insteadOf: number | undefined;
}

/** What an accepted use changed: calls start with an older token now, or with the newest again. */
export type Turn = "reverted" | "restored" | undefined;

/** So many tokens that Coze has accepted are kept to fall back on; the newest itself is often one of them. */
const mostProven = 2;

/**
 * Which of the tokens at hand an attempt uses. A new one is always tried. When Coze rejects it, the last one that Coze
 * accepted is tried in the same call, and once that has gone well it is the one in use until another token comes. A
 * token counts as proven only by a success: Coze answers a false one with other codes too (FACTS b).
 */
export class TokenChoice {
  readonly #now: () => number;
  #newest: HeldToken | undefined;
  /** The one that calls start with. */
  #active: HeldToken | undefined;
  /** The last ones that Coze accepted, the newest first. */
  #proven: readonly HeldToken[] = [];

  /** @param now monotonic ms. */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** Puts a new token into use. */
  take(token: HeldToken): void {
    this.#newest = token;
    this.#active = token;
  }

  /** The token that came last. */
  get newest(): HeldToken | undefined {
    return this.#newest;
  }

  /** The token that calls start with; undefined while none is valid. */
  get current(): HeldToken | undefined {
    return [this.#active, this.#newest, ...this.#proven].find((token) => this.#isValid(token));
  }

  /** Whether Coze rejected the newest token and an older one is in use. */
  get reverted(): boolean {
    return this.#active !== this.#newest && this.#isValid(this.#active);
  }

  /** The generations that may still be used. */
  get generations(): readonly number[] {
    return [this.#newest, this.#active, ...this.#proven].flatMap((token) => token?.generation ?? []);
  }

  /**
   * The token to repeat a call with whose token was rejected; undefined when no other is at hand.
   * @param forPermission Coze missed a permission only: then a token is worth another try when it is not the one that
   *   calls start with, or has never been accepted.
   */
  otherThan(generation: number, forPermission = false): HeldToken | undefined {
    const proven = this.#proven.some((token) => token.generation === generation);
    const others = proven && forPermission ? [] : [this.#newest, ...this.#proven];
    // One that has worked and is rejected was withdrawn, so a newer one is the hope; one that never has is no good, and
    // the one retry of the call is not spent on another that was never tried.
    const inOrder = proven ? [this.#active, ...others] : [...this.#proven, this.#active, this.#newest];
    return inOrder.find((token) => this.#isValid(token) && token.generation !== generation);
  }

  /** Coze accepted a token. */
  accepted({ generation, insteadOf }: ChosenUse): Turn {
    const token = [this.#newest, this.#active, ...this.#proven].find(
      (each) => each?.generation === generation,
    );
    if (!token) return undefined;
    if (!this.#proven.includes(token)) {
      const newestFirst = [token, ...this.#proven].sort((a, b) => b.generation - a.generation);
      this.#proven = newestFirst.slice(0, mostProven);
    }
    // The use itself must have been the repeat: what was sent before the rejection proves nothing about now.
    if (insteadOf === undefined || insteadOf !== this.#active?.generation) return undefined;
    this.#active = token;
    return token === this.#newest ? "restored" : "reverted";
  }

  /** Coze rejected a token. When it was the other one of a call already, the next one starts with the newest. */
  rejected({ insteadOf }: ChosenUse): void {
    if (insteadOf !== undefined) this.#active = this.#newest;
  }

  #isValid(token: HeldToken | undefined): token is HeldToken {
    return token !== undefined && (token.endsAt ?? Number.POSITIVE_INFINITY) > this.#now();
  }
}
