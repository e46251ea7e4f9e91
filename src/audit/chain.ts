import { createHash, randomBytes } from "node:crypto";
import canonicalize from "canonicalize";
import type { AuditRecord, Draft, Link } from "./record.ts";

/** `prev_hash` of the first record of a stream. */
export const genesisHash = "0".repeat(64);

/** A record with its place in the chain, as it is stored: `text` is its canonical JSON (RFC 8785), `hash` the SHA-256 of that. */
export interface Sealed {
  readonly record: AuditRecord;
  readonly text: string;
  readonly hash: string;
}

/** Hex SHA-256 of a record's canonical text. */
export function hashOf(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

/** Names a new stream after the host and the start of the process; characters that a name cannot have become `-`. */
export function newStream(hostname: string): string {
  const instance = hostname.replace(/[^A-Za-z0-9._-]/g, "-").slice(0, 63);
  return `${instance || "gateway"}.${randomBytes(8).toString("hex")}`;
}

/** The chain of one process: gives each record its number, its month and the hash of the one before it. */
export class Chain {
  readonly stream: string;
  #head: Link | undefined;
  #segment = "";

  constructor(stream: string) {
    this.stream = stream;
  }

  /** The newest sealed record; undefined before the first. */
  get head(): Link | undefined {
    return this.#head;
  }

  /** The number that the next record gets. */
  get nextSeq(): number {
    return (this.#head?.seq ?? 0) + 1;
  }

  /**
   * Seals the next record.
   * @param settledTo every attempt of this stream up to this seq has its outcome.
   */
  seal(draft: Draft, settledTo: number): Sealed {
    const time = new Date(draft.time).toISOString();
    const month = time.slice(0, 7);
    // A clock that was set back must not put a record into a month that retention may already have removed.
    if (month > this.#segment) this.#segment = month;
    const record: AuditRecord = {
      ...draft,
      v: 1,
      stream: this.stream,
      seq: this.nextSeq,
      segment: this.#segment,
      time,
      settled_to: settledTo,
      prev_hash: this.#head?.hash ?? genesisHash,
    };
    const text = canonicalize(record) as string;
    const hash = hashOf(text);
    this.#head = { stream: this.stream, seq: record.seq, hash };
    return { record, text, hash };
  }
}
