import { recordId } from "../record.ts";
import type { ChainPoint, StoredRow } from "../store.ts";
import { type Anchor, readAnchor, unreadable } from "./anchor.ts";
import type { Surroundings } from "./links.ts";
import { chainPage, pageSize, pointOf } from "./pages.ts";

/** Anchors that are looked up together: in a log the lines of several processes alternate. */
const batchSize = 10_000;
/** Between two anchors of a stream, up to so many other rows are read rather than asking twice. */
const widestGap = 200;

/** Anchors of one stream that lie close together, by seq. */
interface Run {
  readonly from: ChainPoint;
  readonly to: number;
  readonly anchors: readonly Anchor[];
}

/** Compares the anchors in a log with the store, in constant memory. */
export class AnchorCheck {
  readonly #around: Surroundings;
  readonly #prunings = new Set<string>();
  #batch: Anchor[] = [];
  #checked = 0;
  #unreadableLines = 0;

  constructor(around: Surroundings) {
    this.#around = around;
  }

  /** How many anchors were compared. */
  get checked(): number {
    return this.#checked;
  }

  /** How many lines look like anchors, but cannot be read. */
  get unreadableLines(): number {
    return this.#unreadableLines;
  }

  /** Whether an anchor names the record of this pruning. */
  knows(pruning: string): boolean {
    return this.#prunings.has(pruning);
  }

  /** Takes all lines; those that are no anchors do not matter. */
  async take(lines: AsyncIterable<string>, onBatch: () => void): Promise<void> {
    for await (const line of lines) {
      const anchor = readAnchor(line);
      if (anchor === unreadable) this.#unreadableLines += 1;
      else if (anchor) this.#batch.push(anchor);
      if (this.#batch.length < batchSize) continue;
      await this.#flush();
      onBatch();
    }
    await this.#flush();
  }

  async #flush(): Promise<void> {
    const batch = this.#batch;
    this.#batch = [];
    for (const anchors of Map.groupBy(batch, ({ stream }) => stream).values()) {
      for (const run of runsOf(anchors)) await this.#compare(run);
    }
    this.#checked += batch.length;
  }

  async #compare({ from, to, anchors }: Run): Promise<void> {
    const wanted = Map.groupBy(anchors, ({ seq }) => seq);
    let after = from;
    let seen = 0;
    while (seen < to) {
      const limit = Math.min(pageSize, to - after.seq + 1);
      const page = await chainPage(this.#around.store, after, limit);
      const rows = page.filter(({ stream }) => stream === from.stream);
      for (const row of rows) {
        for (const anchor of wanted.get(row.seq) ?? []) this.#match(row, anchor);
        wanted.delete(row.seq);
        after = pointOf(row);
        seen = row.seq;
      }
      if (rows.length < limit) break;
    }
    await this.#explain([...wanted.values()].flat(), seen);
  }

  #match(row: StoredRow, { hash }: Anchor): void {
    const id = recordId(row);
    if (row.hash !== hash) {
      const what = "the log knew it with another hash";
      this.#around.findings.add("rewritten", { id, position: row.position, what });
    } else if (row.kind === "pruned") this.#prunings.add(id);
  }

  /**
   * Anchors of one stream without a record, by seq: retention removed it, or somebody else. A pruning answers only for
   * the months up to its own, so a beginning that was cut off is not excused by a pruning that found it gone.
   */
  async #explain(anchors: readonly Anchor[], seen: number): Promise<void> {
    if (anchors.length === 0) return;
    const { prunings, findings } = this.#around;
    const pruning = await prunings.newest();
    for (const { stream, seq, segment } of anchors) {
      if (pruning && segment <= pruning.month) {
        prunings.use(pruning);
        continue;
      }
      const id = recordId({ stream, seq });
      if (seq < seen) findings.add("missing", { id, what: "the log names it, but it is not there" });
      else findings.add("cut", { id, what: "the log names it, but its stream ends before it" });
    }
  }
}

function runsOf(anchors: readonly Anchor[]): Run[] {
  const runs: { from: ChainPoint; to: number; anchors: Anchor[] }[] = [];
  for (const anchor of anchors.toSorted((a, b) => a.seq - b.seq)) {
    const { stream, seq } = anchor;
    const run = runs.at(-1);
    if (run && seq - run.to <= widestGap) {
      run.anchors.push(anchor);
      run.to = seq;
    } else runs.push({ from: { stream, seq }, to: seq, anchors: [anchor] });
  }
  return runs;
}
