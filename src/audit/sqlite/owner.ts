import { StoreError } from "../store.ts";
import { SqliteConnection } from "./connection.ts";
import { sqliteCodeOf, sqliteCodes, storeErrorOf } from "./error.ts";
import { createFile } from "./path.ts";

/** How long a process waits for the one before it to end, in ms. */
const patienceMs = 2_000;

/**
 * Makes this process the only one that writes a store, until the result is closed or the process ends, however it does:
 * the lock is one of the operating system. It is on a file beside the store, which readers leave alone.
 * @throws {StoreError} permanent, when another process writes it.
 */
export function ownStore(path: string): SqliteConnection {
  const beside = `${path}-owner`;
  createFile(beside);
  const connection = new SqliteConnection(beside, { timeoutMs: patienceMs });
  try {
    // Otherwise the open transaction would keep a journal file, and leave it when the process is killed.
    connection.exec("PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE");
    return connection;
  } catch (error) {
    connection.close();
    if (sqliteCodeOf(error) !== sqliteCodes.busy) throw storeErrorOf(error, beside, "be locked");
    throw new StoreError(
      `audit store ${path}: another process writes this store; an SQLite store is for one process, ` +
        "use PostgreSQL for several",
      { permanent: true, cause: error },
    );
  }
}
