import { existsSync, realpathSync } from "node:fs";
import { resolve } from "node:path";
import { setImmediate } from "node:timers/promises";
import type { Link } from "../record.ts";
import {
  type AuditFilter,
  type ChainPoint,
  type OwnersPage,
  type Page,
  type Row,
  StoreError,
} from "../store.ts";
import { append } from "./append.ts";
import type { SqliteConnection } from "./connection.ts";
import { damage } from "./damage.ts";
import { SqliteFile } from "./file.ts";
import { ownStore, ownStoreIfFree } from "./owner.ts";
import { owners, ownersOf } from "./owners.ts";
import { createFile } from "./path.ts";
import { listForRemoval, prunable, removeSome } from "./prune.ts";
import { chain, find, heads, unfinished } from "./read.ts";
import { unfinishedBytes } from "./wal.ts";

/** An open store as its worker thread runs it: every method but `remove` blocks until it is done. */
export class SqliteEngine {
  /** See `AuditStore.repairedBytes`. */
  readonly repairedBytes: number;
  readonly #file: SqliteFile;
  readonly #owner: SqliteConnection | undefined;

  private constructor(file: SqliteFile, owner: SqliteConnection | undefined, repairedBytes: number) {
    this.#file = file;
    this.#owner = owner;
    this.repairedBytes = repairedBytes;
  }

  /** Opens a store to read it only; creates nothing. */
  static read(path: string): SqliteEngine {
    return new SqliteEngine(SqliteFile.open(existing(path), "read"), undefined, 0);
  }

  /** Opens a store that is there to write it: as its only writer if nobody does, else beside the one who does. */
  static writeBeside(path: string): SqliteEngine {
    const real = existing(path);
    const owner = ownStoreIfFree(real);
    // What stands at the end of the WAL file is under way then, and not for us to repair.
    if (!owner) return new SqliteEngine(SqliteFile.open(real, "beside"), undefined, 0);
    return SqliteEngine.#own(real, owner);
  }

  /** Opens a store to write it, created when missing, as its only writer. */
  static write(path: string): SqliteEngine {
    const absolute = resolve(path);
    createFile(absolute);
    // SQLite names the files beside a database after the real one too.
    const real = realpathSync(absolute);
    return SqliteEngine.#own(real, ownStore(real));
  }

  static #own(real: string, owner: SqliteConnection): SqliteEngine {
    try {
      const repairedBytes = unfinishedBytes(`${real}-wal`);
      const file = SqliteFile.open(real, "own");
      // Begins the WAL file anew: what was dropped would be counted again if it stayed behind a shorter write.
      if (repairedBytes > 0)
        file.use("repair", (connection) => connection.exec("PRAGMA wal_checkpoint(TRUNCATE)"));
      return new SqliteEngine(file, owner, repairedBytes);
    } catch (error) {
      owner.close();
      throw error;
    }
  }

  /** Whether no other process writes the store. */
  get owned(): boolean {
    return this.#owner !== undefined;
  }

  append(rows: readonly Row[], after: Link | undefined): void {
    this.#file.use("append", (connection) => append(connection, rows, after));
  }

  find(filter: AuditFilter, page: Page) {
    return this.#file.use("read", (connection) => find(connection, filter, page));
  }

  chain(after: ChainPoint | undefined, limit: number) {
    return this.#file.use("read", (connection) => chain(connection, after, limit));
  }

  heads() {
    return this.#file.use("read", heads);
  }

  unfinished(stream: string, settledTo: number) {
    return this.#file.use("read", (connection) => unfinished(connection, stream, settledTo));
  }

  ownersOf(apiAppIds: readonly string[]) {
    return this.#file.use("read", (connection) => ownersOf(connection, apiAppIds));
  }

  owners(page: OwnersPage) {
    return this.#file.use("read", (connection) => owners(connection, page));
  }

  prunable(before: string) {
    return this.#file.use("read", (connection) => prunable(connection, before));
  }

  /** Removes in small steps; between them other work gets its turn. */
  async remove(segments: readonly string[]): Promise<number> {
    this.#file.use("remove", (connection) => listForRemoval(connection, segments));
    let removed = 0;
    for (;;) {
      const some = this.#file.use("remove", removeSome);
      if (some === undefined) return removed;
      removed += some;
      await setImmediate();
    }
  }

  damage() {
    return this.#file.use("check", damage);
  }

  close(): void {
    this.#file.close();
    this.#owner?.close();
  }
}

/** The file at a path that has one, by the name that SQLite gives it. */
function existing(path: string): string {
  if (existsSync(path)) return realpathSync(path);
  throw new StoreError(`audit store ${path}: there is no such file`, { permanent: true, absent: true });
}
