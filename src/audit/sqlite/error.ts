import { StoreError } from "../store.ts";

/** Primary result codes of SQLite that we tell apart. */
export const sqliteCodes = { busy: 5, corrupt: 11, notADatabase: 26 } as const;

/** What node:sqlite and node:fs throw. */
interface Failure extends Error {
  readonly errcode?: number;
}

/** The primary result code of what node:sqlite threw; undefined when something else was thrown. */
export function sqliteCodeOf(error: unknown): number | undefined {
  const { errcode } = error as Failure;
  // The upper bytes tell the kind of an I/O error or a constraint.
  return errcode === undefined ? undefined : errcode & 0xff;
}

/** True when the file is damaged, or no database at all. */
export function isDamage(error: unknown): boolean {
  const code = sqliteCodeOf(error);
  return code === sqliteCodes.corrupt || code === sqliteCodes.notADatabase;
}

/**
 * Tells of a failure in the words of whoever reports it and those of SQLite.
 * @param task what could not be done, as in "could not append".
 */
export function storeErrorOf(error: unknown, path: string, task: string): StoreError {
  if (error instanceof StoreError) return error;
  const { message, errcode } = error as Failure;
  const words = errcode === undefined ? message : `${message} (SQLite code ${errcode})`;
  const kind = isDamage(error) ? "the file is damaged or no database: " : "";
  return new StoreError(`audit store ${path}: could not ${task}: ${kind}${words}`, {
    permanent: isDamage(error),
    cause: error,
  });
}
