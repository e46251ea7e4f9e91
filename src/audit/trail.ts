import { setTimeout as sleep } from "node:timers/promises";
import { GatewayError } from "../errors.ts";
import type { Entry, Journal } from "./journal.ts";
import type { AuditKind, AuditOutcome, AuditRecord, Draft } from "./record.ts";

/** Who asks for what, as every record about a request has it. */
export type Subject = Required<
  Pick<AuditRecord, "request_id" | "caller" | "credential_id" | "operation" | "permission">
> &
  Pick<AuditRecord, "api_app_id" | "event_types" | "fields" | "subject" | "rule" | "policy_version">;

/** How it ended. `api_app_id` is that of an app that was created, `owner` the caller that owns it from now on. */
export type Conclusion = { readonly outcome: AuditOutcome; readonly status: number } & Pick<
  AuditRecord,
  "error" | "stopped" | "attempts" | "api_app_id" | "owner" | "dry_run"
>;

/** Something that was begun and has to be concluded. */
export interface Begun {
  readonly subject: Subject;
  /** The attempt that was stored; absent for what changes nothing. */
  readonly closes?: { readonly stream: string; readonly seq: number };
}

/** More waiting records than this are not taken on; outcomes of what was begun always are. */
const mostWaiting = 10_000;

/**
 * What requests do with the audit trail (DESIGN 1.4): nothing is done that could not be recorded before, and nothing
 * is answered that is not recorded. It waits on the gateway's own clock, whatever the caller does.
 */
export class AuditTrail {
  readonly #journal: Journal;
  readonly #stream: string;
  /** What was begun and is not concluded. */
  readonly #begun = new Set<Begun>();

  constructor(journal: Journal, stream: string) {
    this.#journal = journal;
    this.#stream = stream;
  }

  /** Why records cannot be stored now; undefined when they can. */
  get trouble(): string | undefined {
    return this.#journal.trouble;
  }

  /**
   * To be called before anything goes to Coze. Resolves at once for what changes nothing, else when the attempt is durable.
   * @throws {GatewayError} audit_unavailable, within the journal's `timeoutMs`; then nothing may be sent.
   */
  async begin(subject: Subject, mutating: boolean): Promise<Begun> {
    this.#refuseInTrouble();
    if (!mutating) return { subject };
    const starting: Begun = { subject };
    this.#begun.add(starting);
    try {
      const begun = await this.#attempt(subject);
      this.#begun.add(begun);
      return begun;
    } finally {
      this.#begun.delete(starting);
    }
  }

  /** Resolves when every change that was begun is concluded, also one whose caller and connection are gone. */
  async settled(): Promise<void> {
    while (this.#begun.size > 0) await sleep(5);
  }

  async #attempt(subject: Subject): Promise<Begun> {
    const entry = this.#journal.add({ ...subject, ...now(), kind: "attempt" });
    const stored = await this.#isStored(entry);
    const closes = entry.seq === undefined ? undefined : { stream: this.#stream, seq: entry.seq };
    if (stored && closes) return { subject, closes };
    // It will be stored after all, so it needs an outcome: one that says that nothing was sent.
    if (!this.#journal.withdraw(entry) && closes) {
      const refusal = { outcome: "not_sent", error: "audit_unavailable", status: 503 } as const;
      this.#journal.add({ ...subject, ...now(), kind: "outcome", closes, ...refusal });
    }
    throw new GatewayError("audit_unavailable");
  }

  /**
   * Records how something ended, before the caller is told. The record is kept and stored as soon as possible.
   * @returns false when it is not stored within the journal's `timeoutMs`: then the caller must not be told.
   */
  async conclude(begun: Begun, conclusion: Conclusion): Promise<boolean> {
    this.#begun.delete(begun);
    const { subject, closes } = begun;
    return this.#record("outcome", { ...subject, ...conclusion, ...(closes && { closes }) });
  }

  /**
   * Records that a known caller was refused before anything was begun.
   * @throws {GatewayError} audit_unavailable when it cannot be recorded.
   */
  async refuse(subject: Subject, conclusion: Conclusion): Promise<void> {
    this.#refuseInTrouble();
    if (!(await this.#record("refused", { ...subject, ...conclusion })))
      throw new GatewayError("audit_unavailable");
  }

  #record(kind: AuditKind, about: Omit<Draft, "kind" | "time" | "uptime_ms">): Promise<boolean> {
    return this.#isStored(this.#journal.add({ ...about, ...now(), kind }));
  }

  async #isStored({ stored }: Entry): Promise<boolean> {
    const { promise: late, resolve } = Promise.withResolvers<boolean>();
    const timer = setTimeout(resolve, this.#journal.timeoutMs, false);
    const result = await Promise.race([stored.then(() => true), late]);
    clearTimeout(timer);
    return result;
  }

  #refuseInTrouble(): void {
    if (this.#journal.trouble === undefined && this.#journal.waiting < mostWaiting) return;
    throw new GatewayError("audit_unavailable");
  }
}

/** Both clocks: the wall clock can be set, the other one cannot. */
export function now(): Pick<Draft, "time" | "uptime_ms"> {
  return { time: Date.now(), uptime_ms: Math.round(performance.now()) };
}
