/** A cause in words of ours, safe to log. */
export class Trouble extends Error {}

/**
 * Why the store cannot be used, in a few words and without a secret: the code of a system error, the first word of an
 * answer of the server, else the kind of error. The rest of an answer can quote what was sent, the password too.
 */
export function reasonOf(cause: unknown): string {
  if (cause instanceof Trouble) return cause.message;
  if (!(cause instanceof Error)) return typeof cause;
  if ("code" in cause && typeof cause.code === "string") return cause.code;
  return /^[A-Z]{3,20}(?= )/.exec(cause.message)?.[0] ?? cause.constructor.name;
}
