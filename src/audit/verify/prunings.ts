import { hashOf } from "../chain.ts";
import { type AuditRecord, auditRecord, type Link, recordId } from "../record.ts";
import type { AuditStore, StoredRow } from "../store.ts";

/** What the record of a pruning says. */
export interface Pruning {
  readonly id: string;
  /** The months that it removed, from all streams. */
  readonly months: readonly string[];
  /** The newest of them. */
  readonly month: string;
  /** Of each stream that lost records, the last one that is gone. */
  readonly checkpoints: ReadonlyMap<string, Link>;
}

/** Prunings are few, but each can name thousands of streams. */
const pageSize = 5;

/**
 * Looks up what prunings removed, anew each time, so that one that begins during a verification is seen: its record
 * is stored before the first row goes. Of each one only the text's hash is checked here; its place in a chain is
 * checked with its stream.
 */
export class Prunings {
  readonly #store: Pick<AuditStore, "find">;
  readonly #used = new Map<string, Pruning>();
  /** The one that was used last: mostly it is asked for again, and to read one can take long. */
  #last: Pruning | undefined;

  constructor(store: Pick<AuditStore, "find">) {
    this.#store = store;
  }

  /** The prunings that explained why something is not there. */
  get used(): readonly Pruning[] {
    return [...this.#used.values()];
  }

  /** Notes that a pruning explained why something is not there. */
  use(pruning: Pruning): void {
    this.#used.set(pruning.id, pruning);
    this.#last = pruning;
  }

  /** A pruning that removed this record of the stream; undefined when none did. */
  async covering(stream: string, seq: number): Promise<Pruning | undefined> {
    const covers = ({ checkpoints }: Pruning) => (checkpoints.get(stream)?.seq ?? 0) >= seq;
    if (this.#last && covers(this.#last)) return this.#last;
    for await (const pruning of this.#newestFirst()) {
      if (!covers(pruning)) continue;
      this.use(pruning);
      return pruning;
    }
    return undefined;
  }

  /** The newest pruning: what is of its month or an earlier one is gone from all streams. */
  async newest(): Promise<Pruning | undefined> {
    for await (const pruning of this.#newestFirst()) return pruning;
    return undefined;
  }

  async *#newestFirst(): AsyncGenerator<Pruning> {
    let before: number | undefined;
    for (;;) {
      const page = { order: "newest_first", before, limit: pageSize } as const;
      const rows = await this.#store.find({ kind: "pruned" }, page);
      for (const row of rows) {
        const pruning = this.#last?.id === recordId(row) ? this.#last : read(row);
        if (pruning) yield pruning;
      }
      if (rows.length < pageSize) return;
      before = rows.at(-1)?.position;
    }
  }
}

function read(row: StoredRow): Pruning | undefined {
  const record = hashOf(row.text) === row.hash ? parse(row.text) : undefined;
  if (record?.kind !== "pruned") return undefined;
  const { checkpoints = [], pruned_segments = [] } = record;
  const months = pruned_segments.toSorted();
  const month = months.at(-1);
  if (month === undefined) return undefined;
  return {
    id: recordId(record),
    months,
    month,
    checkpoints: new Map(checkpoints.map((link) => [link.stream, link])),
  };
}

function parse(text: string): AuditRecord | undefined {
  try {
    return auditRecord.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}
