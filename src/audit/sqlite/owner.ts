import { StoreError } from "../store.ts";
import { SqliteConnection } from "./connection.ts";
import { sqliteCodeOf, sqliteCodes, storeErrorOf } from "./error.ts";
import { createFile } from "./path.ts";

/** How long a process waits for the one before it to end, in ms. */
const patienceMs = 2_000;

/** The same for a command, which can do without. */
const shortPatienceMs = 100;

/**
 * Makes this process the only one that writes a store, until the result is closed or the process ends, however it does:
 * the lock is one of the operating system. It is on a file beside the store, which readers leave alone.
 * @throws {StoreError} permanent, when another process writes it.
 */
export function ownStore(path: string): SqliteConnection {
  const [owner, cause] = lock(path, patienceMs);
  if (owner) return owner;
  throw new StoreError(
    `audit store ${path}: another process writes this store; an SQLite store is for one process, ` +
      "use PostgreSQL for several",
    { permanent: true, cause },
  );
}

/** The same, unless another process writes the store: then undefined. */
export function ownStoreIfFree(path: string): SqliteConnection | undefined {
  return lock(path, shortPatienceMs)[0];
}

/** The lock, or why another process has it. */
function lock(path: string, timeoutMs: number): readonly [SqliteConnection | undefined, unknown?] {
  const beside = `${path}-owner`;
  createFile(beside);
  const connection = new SqliteConnection(beside, { timeoutMs });
  try {
    // Otherwise the open transaction would keep a journal file, and leave it when the process is killed.
    connection.exec("PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE");
    return [connection];
  } catch (error) {
    connection.close();
    if (sqliteCodeOf(error) !== sqliteCodes.busy) throw storeErrorOf(error, beside, "be locked");
    return [undefined, error];
  }
}
