import type { Link } from "../record.ts";
import {
  type AuditFilter,
  type AuditStore,
  type ChainPoint,
  type OwnersPage,
  type Page,
  type Row,
  StoreError,
  type StoreOptions,
} from "../store.ts";
import { ReaderThread } from "./reader-thread.ts";
import { SqliteRemote } from "./remote.ts";
import { unpack } from "./row.ts";

/** What runs in the threads: the script beside this one, and of its kind, in src and dist alike. */
const script = new URL(import.meta.url.replace(/store(\.\w+)$/, "worker$1"));

/**
 * Opens the store in an SQLite file. One process alone writes it, and commands beside it; others can read it at the same
 * time.
 * @throws {StoreError} `permanent` when it cannot work until somebody changes something.
 */
export async function openSqliteStore(
  path: string,
  { stream, beside = false }: StoreOptions,
): Promise<AuditStore> {
  if (stream === undefined) {
    const { remote } = await SqliteRemote.open(script, { path, open: "read" });
    return new SqliteStore(path, { reader: remote });
  }
  const open = beside ? "writeBeside" : "write";
  const { remote, repairedBytes, owned } = await SqliteRemote.open(script, { path, open });
  const store = new SqliteStore(path, { stream, writer: remote, repairedBytes, owned });
  // Ready for the first request, which could not wait for a thread to start.
  if (!beside) void store.ownersOf([""]).catch(() => undefined);
  return store;
}

/** The thread that an open store starts with. */
interface StoreParts {
  readonly stream?: string;
  readonly writer?: SqliteRemote;
  readonly reader?: SqliteRemote;
  readonly repairedBytes?: number;
  /** Whether the lock of the store is held. */
  readonly owned?: boolean;
}

/**
 * An open store: one thread writes, one searches, and one looks owners up, so that a long search holds up neither a
 * change nor a request that depends on an owner.
 */
class SqliteStore implements AuditStore {
  readonly repairedBytes: number;
  readonly #path: string;
  readonly #stream: string | undefined;
  readonly #writer: SqliteRemote | undefined;
  readonly #owned: boolean;
  readonly #searches: ReaderThread;
  readonly #lookUps: ReaderThread;

  constructor(path: string, { stream, writer, reader, repairedBytes = 0, owned = false }: StoreParts) {
    this.repairedBytes = repairedBytes;
    this.#path = path;
    this.#stream = stream;
    this.#writer = writer;
    this.#owned = owned;
    this.#searches = new ReaderThread(script, path, reader);
    this.#lookUps = new ReaderThread(script, path);
  }

  async append(rows: readonly Row[], after: Link | undefined): Promise<void> {
    await this.#toWrite().call("append", rows, after);
  }

  async find(filter: AuditFilter, page: Page) {
    const reader = await this.#searches.get();
    return (await reader.call("find", filter, page)).map(unpack);
  }

  async chain(after: ChainPoint | undefined, limit: number) {
    const reader = await this.#searches.get();
    return (await reader.call("chain", after, limit)).map(unpack);
  }

  async ownersOf(apiAppIds: readonly string[]): Promise<ReadonlyMap<string, string>> {
    if (apiAppIds.length === 0) return new Map();
    const reader = await this.#lookUps.get();
    return new Map(await reader.call("ownersOf", apiAppIds));
  }

  async owners(page: OwnersPage) {
    const reader = await this.#searches.get();
    return reader.call("owners", page);
  }

  async heads() {
    const reader = await this.#searches.get();
    return (await reader.call("heads")).map(unpack);
  }

  async unfinished(stream: string, settledTo: number) {
    const reader = await this.#searches.get();
    return (await reader.call("unfinished", stream, settledTo)).map(unpack);
  }

  /** When the store is locked for this process, whoever wrote another stream is dead, or will write no attempt. */
  async claim(stream: string): Promise<boolean> {
    return this.#owned && stream !== this.#stream;
  }

  async release(): Promise<void> {}

  async prunable(before: string) {
    const reader = await this.#searches.get();
    return reader.call("prunable", before);
  }

  async remove(segments: readonly string[]): Promise<number> {
    return this.#toWrite().call("remove", segments);
  }

  async damage() {
    const reader = await this.#searches.get();
    return reader.call("damage");
  }

  /** Ends the threads; the writer last, which then finds itself alone and tidies up. */
  async close(): Promise<void> {
    await Promise.all([this.#searches.close(), this.#lookUps.close()]);
    await this.#writer?.close();
  }

  #toWrite(): SqliteRemote {
    if (this.#writer) return this.#writer;
    throw new StoreError(`audit store ${this.#path}: it was opened for reading only`, { permanent: true });
  }
}
