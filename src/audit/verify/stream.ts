import { genesisHash } from "../chain.ts";
import { type AuditRecord, recordId } from "../record.ts";
import type { StoredRow } from "../store.ts";
import { checkReferences, type Surroundings } from "./links.ts";
import { readRow } from "./row.ts";

/** Checks the rows of one stream, handed over in order; keeps no more than the place where the chain has come to. */
export class StreamCheck {
  readonly stream: string;
  readonly #around: Surroundings;
  #seq = 0;
  #position = Number.NEGATIVE_INFINITY;
  /** What the next record must name as `prev_hash`; undefined after a fault that leaves it open. */
  #hash: string | undefined = genesisHash;
  #segment = "";
  #kind = "";
  #settledTo = 0;

  constructor(stream: string, around: Surroundings) {
    this.stream = stream;
    this.#around = around;
  }

  /** Whether the last record says that the process stopped in good order. */
  get stopped(): boolean {
    return this.#kind === "stopped";
  }

  /** Up to where the last record says that every attempt has its outcome. */
  get settledTo(): number {
    return this.#settledTo;
  }

  /** Checks the next row; only what looks elsewhere in the store returns a promise, as waiting for each row is slow. */
  take(row: StoredRow): Promise<void> | undefined {
    const record = readRow(row, this.#around.findings);
    if (row.seq > this.#seq + 1) return this.#afterHole(row, record);
    return this.#join(row, record);
  }

  /** A hole, at the beginning or between two rows: retention made it, or somebody else. */
  async #afterHole(row: StoredRow, record: AuditRecord | undefined): Promise<void> {
    const { prunings, findings } = this.#around;
    const gone = { stream: this.stream, seq: row.seq - 1 };
    const pruning = await prunings.covering(gone.stream, gone.seq);
    const last = pruning?.checkpoints.get(this.stream);
    const complete = last?.seq === gone.seq;
    // Whole months go: what is left before the hole belongs to them, what comes after the last that went does not.
    if (!pruning || this.#segment > pruning.month || (complete && row.segment <= pruning.month)) {
      const from = this.#seq + 1;
      const what = `${from === gone.seq ? "it is" : `it and all up to ${gone.seq} are`} not there`;
      findings.add("missing", { id: recordId({ stream: this.stream, seq: from }), what });
    }
    this.#hash = complete ? last.hash : undefined;
    await this.#join(row, record);
  }

  #join(row: StoredRow, record: AuditRecord | undefined): Promise<void> | undefined {
    const { findings } = this.#around;
    const { position, seq } = row;
    const id = recordId(row);
    if (seq <= this.#seq) {
      findings.add("out_of_order", { id, position, what: "its stream has that number already" });
      this.#hash = undefined;
      return undefined;
    }
    if (position <= this.#position) {
      const what = `its position is not above ${this.#position}, that of the record before it`;
      findings.add("out_of_order", { id, position, what });
    }
    if (record && this.#hash !== undefined && record.prev_hash !== this.#hash) {
      findings.add("unlinked", {
        id,
        position,
        what: "its prev_hash is not the hash of the record before it",
      });
    }
    this.#seq = seq;
    this.#position = position;
    this.#segment = row.segment;
    this.#hash = record && row.hash;
    this.#kind = row.kind;
    this.#settledTo = record && Number.isSafeInteger(record.settled_to) ? record.settled_to : 0;
    return record?.kind === "opened" || record?.kind === "closed"
      ? checkReferences(row, record, this.#around)
      : undefined;
  }
}
