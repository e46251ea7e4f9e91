import { setImmediate as nextTurn, setTimeout as sleep } from "node:timers/promises";
import { Chain, type Sealed } from "./chain.ts";
import type { Draft, Link } from "./record.ts";
import { type AuditStore, labelsOf, type Row } from "./store.ts";

/** What a journal is made of, and whom it tells. */
export interface JournalParts {
  readonly stream: string;
  /** A flush that takes longer, in ms, is trouble: whoever comes then is refused at once instead of waiting as well. */
  readonly timeoutMs: number;
  /** The store, opened on demand; rejects while it cannot be. */
  readonly store: () => Promise<Pick<AuditStore, "append">>;
  /** Told of each record once it is durable, in order. */
  readonly onStored: (sealed: Sealed) => void;
  /** Told of each flush that ended well: how many ms it took. */
  readonly onFlush: (ms: number) => void;
  /** Told of each failure, and when records can be stored: at the start and after each trouble. */
  readonly onFailure: (error: Error) => void;
  readonly onUsable: () => void;
}

/** One record on its way into the store. */
export interface Entry {
  readonly draft: Draft;
  /** Its number, once it is sealed and therefore on its way for good. */
  readonly seq: number | undefined;
  /** Resolves when it is durable. */
  readonly stored: Promise<void>;
}

interface Pending extends Entry {
  seq: number | undefined;
  readonly resolve: () => void;
}

const mostInFlush = 512;
/** With this many requests under way, a flush waits up to `gatherMs` for some of them to share it. */
const manyUnderWay = 16;
const gatherMs = 4;
const retryMs = [50, 100, 250, 500] as const;

/**
 * Puts records into the chain and into the store, many with one flush (group commit). A batch that failed is repeated
 * as it is until it is stored: whether the store took it may be unknown, and the chain must not fork.
 */
export class Journal {
  readonly #parts: JournalParts;
  readonly #chain: Chain;
  /** Numbers of the attempts without an outcome, lowest first. */
  readonly #open = new Set<number>();
  /** Not sealed yet, oldest first; a set, since many may be taken back at once. */
  readonly #waiting = new Set<Pending>();
  #flushing = 0;
  #running = false;
  #stopped = false;
  #trouble: string | undefined = "the store is not open yet";

  constructor(parts: JournalParts) {
    this.#parts = parts;
    this.#chain = new Chain(parts.stream);
  }

  /** Why records cannot be stored now; undefined when they can. */
  get trouble(): string | undefined {
    return this.#trouble;
  }

  /** How long, in ms, a record is waited for. */
  get timeoutMs(): number {
    return this.#parts.timeoutMs;
  }

  /** How many records wait to be sealed. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** How many attempts have no outcome yet. */
  get open(): number {
    return this.#open.size;
  }

  /** Number of the newest sealed record; 0 before the first. */
  get lastSeq(): number {
    return this.#chain.nextSeq - 1;
  }

  /** The newest sealed record. */
  get head(): Link | undefined {
    return this.#chain.head;
  }

  /** Appends a record; it is stored in its turn, however long that takes. */
  add(draft: Draft): Entry {
    const { promise, resolve } = Promise.withResolvers<void>();
    const entry: Pending = { draft, seq: undefined, stored: promise, resolve };
    this.#waiting.add(entry);
    if (!this.#running) void this.#run();
    return entry;
  }

  /** Takes a record back; false when it is sealed already and will be stored. */
  withdraw(entry: Entry): boolean {
    return (this.#waiting as Set<Entry>).delete(entry);
  }

  /**
   * Ends after what is on its way is stored and every attempt has its outcome, or when the time is over.
   * @param last comes after all others; left out when the outcome of an attempt is still to come.
   * @returns how many records were not stored, outcomes that did not come included.
   */
  async close(withinMs: number, last?: Draft): Promise<number> {
    const endsAt = performance.now() + withinMs;
    const quiet = async () => {
      while ((this.#running || this.#open.size > 0) && performance.now() < endsAt) await sleep(5);
    };
    await quiet();
    if (last && this.#open.size === 0) this.add(last);
    await quiet();
    this.#stopped = true;
    return this.#waiting.size + this.#flushing + this.#open.size;
  }

  async #run(): Promise<void> {
    this.#running = true;
    while (this.#waiting.size > 0 && !this.#stopped) {
      await this.#gather();
      const entries = this.#take();
      if (entries.length > 0) await this.#flush(entries);
    }
    this.#running = false;
  }

  #take(): readonly Pending[] {
    const entries = [...this.#waiting].slice(0, mostInFlush);
    for (const entry of entries) this.#waiting.delete(entry);
    return entries;
  }

  /** Waits for company only when much is under way, so that a single caller waits for nobody. */
  async #gather(): Promise<void> {
    await nextTurn();
    const startedAt = performance.now();
    const underWay = () => this.#open.size + this.#waiting.size;
    while (
      underWay() >= manyUnderWay &&
      this.#waiting.size < underWay() / 2 &&
      performance.now() - startedAt < gatherMs
    ) {
      await sleep(1);
    }
  }

  async #flush(entries: readonly Pending[]): Promise<void> {
    this.#flushing = entries.length;
    const after = this.#chain.head;
    const sealed = entries.map((entry) => this.#seal(entry));
    const rows = sealed.map(({ record, text, hash }): Row => ({ ...labelsOf(record), text, hash }));
    for (let failures = 0; !(await this.#append(rows, after)); failures++) {
      if (this.#stopped) return;
      await sleep(retryMs[Math.min(failures, retryMs.length - 1)]);
    }
    if (this.#trouble !== undefined) {
      this.#trouble = undefined;
      this.#parts.onUsable();
    }
    this.#flushing = 0;
    for (const entry of entries) entry.resolve();
    for (const each of sealed) this.#parts.onStored(each);
  }

  #seal(entry: Pending): Sealed {
    const { draft } = entry;
    const seq = this.#chain.nextSeq;
    entry.seq = seq;
    if (draft.kind === "attempt") this.#open.add(seq);
    if (draft.closes?.stream === this.#chain.stream) this.#open.delete(draft.closes.seq);
    const [oldest = seq + 1] = this.#open;
    return this.#chain.seal(draft, oldest - 1);
  }

  async #append(rows: readonly Row[], after: Link | undefined): Promise<boolean> {
    const startedAt = performance.now();
    const { timeoutMs } = this.#parts;
    const late = new Error(`a flush takes longer than ${timeoutMs} ms`);
    const slow = setTimeout(() => this.#fail(late), timeoutMs);
    const failure = await this.#parts
      .store()
      .then((store) => store.append(rows, after))
      .then(
        () => undefined,
        (error: Error) => error,
      );
    clearTimeout(slow);
    if (failure) this.#fail(failure);
    else this.#parts.onFlush(performance.now() - startedAt);
    return !failure;
  }

  #fail(error: Error): void {
    this.#trouble = error.message;
    this.#parts.onFailure(error);
  }
}
