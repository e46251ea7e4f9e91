import { rmSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { StoreError } from "../store.ts";
import { SqliteConnection } from "./connection.ts";
import { storeErrorOf } from "./error.ts";
import { contentAt, fileAt } from "./path.ts";
import { type Preparation, prepareSchema } from "./schema.ts";

/** The connection that is open, and what stood at the paths when it was opened. */
interface Opened {
  readonly connection: SqliteConnection;
  /** True when SQLite was told that nobody changes the file, and takes no locks. */
  readonly immutable: boolean;
  readonly state: string;
  readonly file: string | undefined;
  readonly wal: string | undefined;
}

/** `own`: as its only owner, who keeps it in order; `beside`: writes while another process owns it; `read`: only reads. */
export type FileAccess = "own" | "beside" | "read";

const preparations = { own: "migrate", beside: "join", read: "none" } as const satisfies Record<
  FileAccess,
  Preparation
>;

/**
 * The store file at a path. SQLite goes on with the file it opened even when that was deleted or replaced, and would
 * write records to where nobody finds them; so before each use the path is looked at, and its file is opened anew.
 */
export class SqliteFile {
  readonly path: string;
  readonly #walPath: string;
  readonly #access: FileAccess;
  #opened: Opened | undefined;
  #closed = false;

  private constructor(path: string, access: FileAccess) {
    this.path = path;
    this.#walPath = `${path}-wal`;
    this.#access = access;
  }

  /**
   * Opens the file that is at the path.
   * @throws {StoreError} permanent, when it is no audit store of this version.
   */
  static open(path: string, access: FileAccess): SqliteFile {
    const file = new SqliteFile(path, access);
    try {
      file.#open(access === "own" ? "create" : preparations[access]);
    } catch (error) {
      throw storeErrorOf(error, path, "open the file");
    }
    return file;
  }

  /**
   * Runs something on the file that is at the path now.
   * @param task what it is, as in "could not append".
   * @throws {StoreError} for every failure.
   */
  use<T>(task: string, run: (connection: SqliteConnection) => T): T {
    try {
      for (;;) {
        const opened = this.#current();
        const finish = attempt(() => run(opened.connection));
        // Without locks only a look afterwards tells that all was read from one state of the file.
        if (!opened.immutable || opened.state === this.#state()) return finish();
      }
    } catch (error) {
      throw storeErrorOf(error, this.path, task);
    }
  }

  /** Closes the file for good. */
  close(): void {
    this.#closed = true;
    this.#opened?.connection.close();
    this.#opened = undefined;
  }

  #current(): Opened {
    if (this.#closed) throw new StoreError(`audit store ${this.path}: it is closed`, { permanent: true });
    if (fileAt(this.path) === undefined) throw new StoreError(`audit store ${this.path}: the file is gone`);
    if (this.#opened && this.#opened.state === this.#state()) return this.#opened;
    if (this.#opened) this.#leave(this.#opened);
    this.#opened = undefined;
    return this.#open(preparations[this.#access]);
  }

  #open(preparation: Preparation): Opened {
    const state = this.#state();
    const immutable = this.#immutable;
    const location = pathToFileURL(this.path);
    if (immutable) location.searchParams.set("immutable", "1");
    const connection = new SqliteConnection(location, { readOnly: this.#access === "read" });
    try {
      prepareSchema(connection, this.path, preparation);
    } catch (error) {
      connection.close();
      throw error;
    }
    this.#opened = {
      connection,
      immutable,
      // Opening to write makes the WAL file; opening to read must see when one is made.
      state: this.#access === "read" ? state : this.#state(),
      file: fileAt(this.path),
      wal: fileAt(this.#walPath),
    };
    return this.#opened;
  }

  /**
   * Closes a file that is no longer at the path. Its WAL file may still be there, and SQLite would take it for that of
   * the new file: so it is emptied into the old file, which is then whole wherever it is, and removed.
   */
  #leave({ connection, file, wal }: Opened): void {
    const leftBehind = fileAt(this.path) !== file && wal !== undefined && fileAt(this.#walPath) === wal;
    if (this.#access !== "own" && leftBehind)
      throw new StoreError(
        `audit store ${this.path}: the file was replaced, its WAL file is still the old one`,
      );
    if (this.#access === "own") {
      const done = connection.first<{ busy: number }>("PRAGMA wal_checkpoint(TRUNCATE)");
      if (done?.busy)
        throw new StoreError(
          `audit store ${this.path}: the file was replaced, and the old one is still read`,
        );
      if (leftBehind) for (const suffix of ["-wal", "-shm"]) rmSync(`${this.path}${suffix}`, { force: true });
    }
    connection.close();
  }

  /** A file without a WAL file is not in use; read as immutable it needs none, which reading would create otherwise. */
  get #immutable(): boolean {
    return this.#access === "read" && fileAt(this.#walPath) === undefined;
  }

  /** What stands at the paths; when this changes, the connection is not to be used any more. */
  #state(): string {
    return this.#immutable ? `${contentAt(this.path)}` : `${fileAt(this.path)} ${fileAt(this.#walPath)}`;
  }
}

/** Runs something now, and gives its end, result or error, when asked. */
function attempt<T>(run: () => T): () => T {
  try {
    const result = run();
    return () => result;
  } catch (error) {
    return () => {
      throw error;
    };
  }
}
