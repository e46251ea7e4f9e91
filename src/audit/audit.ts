import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "pino";
import type { Sealed } from "./chain.ts";
import type { StoreConnection } from "./connection.ts";
import { Journal } from "./journal.ts";
import { asLink } from "./record.ts";
import { Recovery } from "./recovery.ts";
import { prune } from "./retention.ts";
import type { AuditStore, StoreError } from "./store.ts";
import { AuditTrail, now } from "./trail.ts";

/** What the audit trail of a process is made of. */
export interface AuditParts {
  readonly stream: string;
  readonly connection: StoreConnection;
  readonly version: string;
  /** How long, in ms, a record is waited for before its request is refused or its answer withheld. */
  readonly timeoutMs: number;
  /** Months that ended this many days ago are removed; undefined keeps all. */
  readonly retentionDays: number | undefined;
  readonly log: Logger;
  /** Told of each record once it is durable, in order. */
  readonly onStored: (sealed: Sealed) => void;
  readonly onFlush: (ms: number) => void;
  readonly onFailure: (error: Error) => void;
  /** `usualPace` unless a test is in a hurry. */
  readonly pace?: Pace;
}

/** How often the store is put in order, in ms. */
export interface Pace {
  /** Between two rounds, and before the first, when the store could not be used yet. */
  readonly round: number;
  readonly retry: number;
  /** Between two signs of life, and between two prunings. */
  readonly alive: number;
  readonly prune: number;
}

const minuteMs = 60_000;
const usualPace: Pace = { round: minuteMs, retry: 500, alive: 12 * 60 * minuteMs, prune: 6 * 60 * minuteMs };

/** How long a stop waits for the store to close, in ms. */
const storeCloseMs = 1_000;

/** The audit trail of one process: its stream in the store, and the work that keeps the store in order. */
export class Audit {
  readonly trail: AuditTrail;
  readonly journal: Journal;
  readonly #parts: AuditParts;
  readonly #pace: Pace;
  readonly #recovery: Recovery;
  readonly #ending = new AbortController();
  #aliveAt = performance.now();
  #prunedAt = Number.NEGATIVE_INFINITY;
  #work: Promise<void> | undefined;
  /** The trouble that was logged last; undefined while there is none. */
  #problem: string | undefined;

  constructor(parts: AuditParts) {
    const { stream, connection, timeoutMs, onStored, onFlush } = parts;
    this.#parts = parts;
    this.#pace = parts.pace ?? usualPace;
    this.journal = new Journal({
      stream,
      timeoutMs,
      store: () => connection.get(),
      onStored,
      onFlush,
      onFailure: (error) => this.#tellFailure(error),
      onUsable: () => this.#tellUsable(),
    });
    this.trail = new AuditTrail(this.journal, stream);
    this.#recovery = new Recovery(this.journal, stream);
  }

  /**
   * Begins the stream and closes what dead processes left open, then keeps house until `close`.
   * Resolves when that is done or after `withinMs`: with a store in trouble it goes on trying, and the trail refuses.
   */
  async start(withinMs: number): Promise<void> {
    const { promise: begun, resolve } = Promise.withResolvers<void>();
    this.#work = this.#keepHouse(resolve);
    await Promise.race([begun, sleep(withinMs, undefined, { ref: false })]);
  }

  /**
   * Ends the stream and closes the store.
   * @returns how many records could not be stored within the time.
   */
  async close(withinMs: number): Promise<number> {
    const over = sleep(withinMs, undefined, { ref: false });
    this.#ending.abort();
    const last = this.journal.head && ({ ...now(), kind: "stopped" } as const);
    const lost = await this.journal.close(withinMs, last);
    if (lost > 0) this.#parts.log.error({ event: "audit_lost", records: lost }, "records were not stored");
    // Both may never end: work that waits for a record which is not stored any more, and a store that hangs.
    await Promise.race([this.#work, over]);
    await Promise.race([this.#parts.connection.close(), sleep(storeCloseMs, undefined, { ref: false })]);
    return lost;
  }

  /** Logged when it changes, as a store in trouble is tried again several times a second. */
  #tellFailure(error: Error): void {
    const { message: problem } = error;
    this.#parts.onFailure(error);
    if (problem === this.#problem) return;
    this.#problem = problem;
    this.#parts.log.error({ event: "audit_failure", problem }, "the audit store failed");
  }

  #tellUsable(): void {
    this.#problem = undefined;
    const { log, stream } = this.#parts;
    log.info({ event: "audit_usable", stream }, "the audit store can be written");
  }

  async #keepHouse(onBegun: () => void): Promise<void> {
    const { connection, log } = this.#parts;
    let begun = false;
    while (!this.#ending.signal.aborted) {
      let pauseMs = this.#pace.round;
      try {
        const store = await connection.get();
        if (!begun) await this.#begin(store);
        begun = true;
        await this.#tidy(store);
        onBegun();
      } catch (error) {
        if (!begun) pauseMs = this.#pace.retry;
        log.error({ event: "audit_housekeeping", problem: (error as Error).message }, "audit store");
      }
      await sleep(pauseMs, undefined, { signal: this.#ending.signal }).catch(() => undefined);
    }
  }

  /** The first record names the newest one in the store: whoever cuts that off later leaves a trace. */
  async #begin(store: AuditStore): Promise<void> {
    const newest = (await store.find({}, { order: "newest_first", limit: 1 })).map(asLink)[0];
    const opened = this.journal.add({
      ...now(),
      kind: "opened",
      version: this.#parts.version,
      follows: newest,
    });
    if (store.repairedBytes > 0) {
      this.journal.add({ ...now(), kind: "repaired", repaired_bytes: store.repairedBytes });
    }
    await opened.stored;
  }

  async #tidy(store: AuditStore): Promise<void> {
    const { log, retentionDays } = this.#parts;
    const closed = await this.#recovery.sweep(store);
    if (closed > 0)
      log.warn({ event: "audit_closed", attempts: closed }, "attempts of dead processes closed");
    const at = performance.now();
    if (at - this.#aliveAt >= this.#pace.alive) {
      this.#aliveAt = at;
      this.journal.add({ ...now(), kind: "alive" });
    }
    if (retentionDays !== undefined && at - this.#prunedAt >= this.#pace.prune) {
      this.#prunedAt = at;
      const removed = await prune(store, this.journal, retentionDays).catch((error: StoreError) => {
        // What has no prospects, such as a role that may not remove anything, would only fill the trail with plans.
        if (!error.permanent) this.#prunedAt = Number.NEGATIVE_INFINITY;
        throw error;
      });
      if (removed > 0) log.info({ event: "audit_pruned", records: removed }, "old audit records removed");
    }
  }
}
