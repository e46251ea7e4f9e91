import { DatabaseError } from "pg";
import { StoreError } from "../store.ts";

/** Classes of SQLSTATE whose errors last until somebody changes something. */
const lasting = new Set([
  "28", // wrong password, or not let in
  "3D", // no such database
  "3F", // no such schema
  "42", // missing rights, tables or functions
  "AU", // raised by audit_append
]);

/** After these the connection is of no more use: it ended, or leads to a server that takes no writes. */
const useless = /^(08|25006|57P)/;

/** The SQLSTATE of an error that the server reported; undefined for all others. */
export function sqlStateOf(error: unknown): string | undefined {
  return error instanceof DatabaseError ? error.code : undefined;
}

/** Whether a connection can be used again after this error. */
export function leavesUsable(error: unknown): boolean {
  const state = sqlStateOf(error);
  return state !== undefined && !useless.test(state);
}

/**
 * What went wrong, in words for the operator.
 * @param what was tried, such as `append`.
 * @param place of the database, without password.
 */
export function storeErrorOf(error: unknown, what: string, place: string): StoreError {
  const state = sqlStateOf(error);
  const { permanent, absent } =
    error instanceof StoreError
      ? error
      : { permanent: lasting.has(String(state).slice(0, 2)), absent: false };
  const message = `${hints[String(state)] ?? ""}${what} at ${place}: ${wordsOf(error)}`;
  return new StoreError(message, { permanent, absent, cause: error });
}

const hints: Readonly<Record<string, string>> = {
  AU001: "the store has lost records of this process: ",
  AU002: "the store has other records in the place of those of this process: ",
};

/** An error for several addresses of one name has no words of its own. */
function wordsOf(error: unknown): string {
  const { message, code } = error as NodeJS.ErrnoException;
  return message || String(code);
}
