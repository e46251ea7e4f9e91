import type { Journal } from "./journal.ts";
import { type AuditRecord, asLink } from "./record.ts";
import type { AuditStore, StoredRow } from "./store.ts";
import { recordIn } from "./stored-record.ts";
import { now } from "./trail.ts";

/** What recovery needs of a store. */
export type RecoverableStore = Pick<AuditStore, "heads" | "claim" | "release" | "unfinished">;

/** Closes, as `unknown`, the attempts that dead processes left without an outcome (FAULTS 33). */
export class Recovery {
  readonly #journal: Journal;
  readonly #stream: string;
  /** Streams with nothing left to close up to this seq; one that was only thought dead goes on from there. */
  readonly #settled = new Map<string, number>();

  constructor(journal: Journal, stream: string) {
    this.#journal = journal;
    this.#stream = stream;
  }

  /**
   * Looks through the streams of all processes that are dead.
   * @returns how many attempts were closed.
   */
  async sweep(store: RecoverableStore): Promise<number> {
    let closed = 0;
    for (const head of await store.heads()) {
      const { stream, seq } = head;
      if (stream === this.#stream || this.#settled.get(stream) === seq) continue;
      if (!(await store.claim(stream))) continue;
      try {
        // A row that somebody gave a name no stream has is none of ours.
        const attempts = (await store.unfinished(stream, settledTo(head))).filter(asLink);
        // One at a time would be slow after a crash under load; all are sealed in one go.
        await Promise.all(attempts.map((attempt) => this.#journal.add(closingOf(attempt)).stored));
        closed += attempts.length;
        this.#settled.set(stream, seq);
      } finally {
        await store.release(stream);
      }
    }
    return closed;
  }
}

/** Up to where the stream is known to be complete; from the beginning when its last record cannot be read. */
function settledTo(head: StoredRow): number {
  return recordIn(head)?.settled_to ?? 0;
}

function closingOf(attempt: StoredRow) {
  const record = recordIn(attempt) ?? ({} as Partial<AuditRecord>);
  const { request_id, caller, subject, credential_id, operation, permission, rule, policy_version } = record;
  const { api_app_id, event_types, fields } = record;
  return {
    ...{ request_id, caller, subject, credential_id, operation, permission, rule, policy_version },
    ...{ api_app_id, event_types, fields },
    ...now(),
    kind: "closed",
    closes: { stream: attempt.stream, seq: attempt.seq },
    outcome: "unknown",
  } as const;
}
