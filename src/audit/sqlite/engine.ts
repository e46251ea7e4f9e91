import { existsSync, realpathSync } from "node:fs";
import { resolve } from "node:path";
import { setImmediate } from "node:timers/promises";
import type { Link } from "../record.ts";
import { type AuditFilter, type ChainPoint, type Page, type Row, StoreError } from "../store.ts";
import { append } from "./append.ts";
import type { SqliteConnection } from "./connection.ts";
import { damage } from "./damage.ts";
import { SqliteFile } from "./file.ts";
import { ownStore } from "./owner.ts";
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
    if (!existsSync(path))
      throw new StoreError(`audit store ${path}: there is no such file`, { permanent: true, absent: true });
    return new SqliteEngine(SqliteFile.open(realpathSync(path), { readOnly: true }), undefined, 0);
  }

  /** Opens a store to write it, created when missing, as its only writer. */
  static write(path: string): SqliteEngine {
    const absolute = resolve(path);
    createFile(absolute);
    // SQLite names the files beside a database after the real one too.
    const real = realpathSync(absolute);
    const owner = ownStore(real);
    try {
      const repairedBytes = unfinishedBytes(`${real}-wal`);
      const file = SqliteFile.open(real, { readOnly: false });
      // Begins the WAL file anew: what was dropped would be counted again if it stayed behind a shorter write.
      if (repairedBytes > 0)
        file.use("repair", (connection) => connection.exec("PRAGMA wal_checkpoint(TRUNCATE)"));
      return new SqliteEngine(file, owner, repairedBytes);
    } catch (error) {
      owner.close();
      throw error;
    }
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
