import { parseDocument } from "yaml";
import * as z from "zod";
import { permissions } from "../operations/registry.ts";
import { apiAppIdPattern } from "../operations/schemas.ts";
import { redactCredentials } from "../telemetry/logger.ts";
import { callerIdPattern } from "./key.ts";

const grant = z.strictObject({
  permissions: z
    .array(
      z.string().refine((name) => permissions.has(name), {
        error: (issue) =>
          `"${String(issue.input)}" is not a permission; known are ${[...permissions].join(", ")}`,
      }),
    )
    .min(1, "a grant without permissions grants nothing"),
  api_app_ids: z.union(
    [z.literal("all"), z.array(z.string().regex(new RegExp(apiAppIdPattern))).min(1)],
    'must be "all" or a list of app ids; quote the ids, 19 digits do not fit a number',
  ),
});

const key = z.strictObject({
  sha256: z.string().regex(/^[0-9a-f]{64}$/, "must be the lower-case hex SHA-256 of the whole key"),
  expires_at: z.iso
    .datetime({ offset: true, error: "must be a time such as 2027-01-01T00:00:00Z" })
    .transform((text) => Date.parse(text))
    .optional(),
});

const caller = z.strictObject({
  id: z.string().regex(callerIdPattern, "must be 1 to 63 of a-z, 0-9 and -, with no - at either end"),
  keys: z.array(key).default([]),
  grants: z.array(grant).default([]),
});

const callersFile = z.strictObject({ callers: z.array(caller) });

/** Who may call: one entry of the callers file. */
export type Caller = z.output<typeof caller>;
/** Permissions, and the callback apps that they hold for. */
export type Grant = Caller["grants"][number];

/** A live or expired key and whose it is. `expires_at` is in ms since the epoch. */
export interface Credential {
  readonly caller: Caller;
  readonly hash: Buffer;
  readonly expiresAt: number;
}

/** One version of the callers file, never changed: a request keeps the one it started with. */
export interface Policy {
  readonly callers: readonly Caller[];
  /** By hex SHA-256 of the key. */
  readonly credentials: ReadonlyMap<string, Credential>;
}

/** Knows nobody, so everybody is refused. */
export const emptyPolicy: Policy = { callers: [], credentials: new Map() };

/** Mistakes that are named; a file with more is wrong as a whole, and the message has to fit a log line. */
const mostLines = 50;

/**
 * Reads a callers file.
 * @throws Error that names every mistake with its place; it shows ids and words of the file, never a key.
 */
export function parsePolicy(content: Buffer | string): Policy {
  const document = parseDocument(content.toString(), { uniqueKeys: true });
  const [broken] = document.errors;
  if (broken) throw new Error(`not valid YAML: ${broken.code} at line ${broken.linePos?.[0].line}`);
  const parsed = callersFile.safeParse(toPlain(document));
  if (!parsed.success) {
    const lines = parsed.error.issues.map((issue) => `${issue.path.join(".") || "file"}: ${issue.message}`);
    const rest = lines.length > mostLines ? [`and ${lines.length - mostLines} more`] : [];
    throw new Error(withoutKeys([...lines.slice(0, mostLines), ...rest].join("; ")));
  }
  const { callers } = parsed.data;
  refuseRepeats(callers.map(({ id }): [string, string] => [id, `the caller id ${id} stands`]));
  refuseRepeats(
    callers.flatMap(({ id, keys }) =>
      keys.map(({ sha256 }): [string, string] => [sha256, `a key hash of caller ${id} stands`]),
    ),
  );
  const credentials = callers.flatMap((owner) =>
    owner.keys.map(({ sha256, expires_at }): [string, Credential] => [
      sha256,
      { caller: owner, hash: Buffer.from(sha256, "hex"), expiresAt: expires_at ?? Number.POSITIVE_INFINITY },
    ]),
  );
  return { callers, credentials: new Map(credentials) };
}

function toPlain(document: ReturnType<typeof parseDocument>): unknown {
  try {
    // Aliases have no use in this file, and a few lines of them can expand to gigabytes.
    return document.toJS({ maxAliasCount: 0 });
  } catch {
    throw new Error("YAML anchors and aliases are not allowed");
  }
}

/** A key or hash that was pasted into the wrong place would be quoted as the word that is not known there. */
function withoutKeys(message: string): string {
  return redactCredentials(message).replace(/[0-9a-f]{64}/gi, "[hash]");
}

function refuseRepeats(values: readonly (readonly [value: string, what: string])[]): void {
  const seen = new Set<string>();
  for (const [value, what] of values) {
    if (seen.has(value)) throw new Error(`${what} in the file twice`);
    seen.add(value);
  }
}
