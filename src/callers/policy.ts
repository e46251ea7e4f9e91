import { createHash } from "node:crypto";
import { parseDocument } from "yaml";
import { redactCredentials } from "../telemetry/logger.ts";
import { type Caller, callersFile, type Identity } from "./callers-file.ts";
import type { IssuerConfig } from "./jwt/issuer-config.ts";
import { keyCredentialId } from "./key.ts";

/** By what somebody proved to be a caller. */
export interface Credential {
  readonly caller: Caller;
  readonly kind: "key" | "jwt";
  /** 16 hex digits that stand for it in the audit trail: of the key's SHA-256, or of issuer and subject. */
  readonly id: string;
  /** Who exactly, where a caller stands for many. */
  readonly subject?: string;
  /** ms since the epoch. */
  readonly expiresAt: number;
}

/** A live or expired key, as the callers file knows it. */
export interface KeyCredential extends Credential {
  readonly hash: Buffer;
}

/** One version of the callers file, never changed: a request keeps the one it started with. */
export interface Policy {
  /** 16 hex digits of the file's SHA-256: equal on all replicas that have the same one. */
  readonly version: string;
  readonly callers: readonly Caller[];
  readonly issuers: readonly IssuerConfig[];
  /** By hex SHA-256 of the key. */
  readonly credentials: ReadonlyMap<string, KeyCredential>;
  /** The caller that a subject of an issuer stands for: the exact one before the longest prefix. */
  readonly callerOf: (issuer: string, subject: string) => Caller | undefined;
}

/** Knows nobody, so everybody is refused. */
export const emptyPolicy: Policy = {
  version: "none",
  callers: [],
  issuers: [],
  credentials: new Map(),
  callerOf: () => undefined,
};

/** Rotation takes two; a third one is a key that somebody forgot. */
const mostLiveKeys = 2;

/** Mistakes that are named; a file with more is wrong as a whole, and the message has to fit a log line. */
const mostLines = 50;

/**
 * Reads a callers file.
 * @param now ms since the epoch: which keys still live.
 * @throws Error that names every mistake with its place; it shows ids and words of the file, never a key.
 */
export function parsePolicy(content: Buffer | string, now = Date.now()): Policy {
  const document = parseDocument(content.toString(), { uniqueKeys: true });
  const [broken] = document.errors;
  if (broken) throw new Error(`not valid YAML: ${broken.code} at line ${broken.linePos?.[0].line}`);
  const parsed = callersFile.safeParse(toPlain(document));
  if (!parsed.success)
    throw mistakes(parsed.error.issues.map(({ path, message }) => `${path.join(".") || "file"}: ${message}`));
  const { callers, issuers } = parsed.data;
  const wrong = [
    ...repeats(callers.map(({ id }) => [id, `the caller id ${id} stands`])),
    ...repeats(
      callers.flatMap(({ id, keys }) =>
        keys.map(({ sha256 }) => [sha256, `a key hash of caller ${id} stands`] as const),
      ),
    ),
    ...repeats(
      callers.flatMap(({ id, identities }) =>
        identities.map((each) => [identityKey(each), `an identity of caller ${id} stands`] as const),
      ),
    ),
    ...callers.flatMap((caller) => mistakesOf(caller, issuers, now)),
  ];
  if (wrong.length > 0) throw mistakes(wrong);
  return {
    version: createHash("sha256").update(content).digest("hex").slice(0, 16),
    callers,
    issuers,
    credentials: new Map(callers.flatMap(keysOf)),
    callerOf: finder(callers),
  };
}

function keysOf(caller: Caller): [string, KeyCredential][] {
  return caller.keys.map(({ sha256, expires_at }) => [
    sha256,
    {
      caller,
      kind: "key",
      id: keyCredentialId(sha256),
      hash: Buffer.from(sha256, "hex"),
      expiresAt: expires_at ?? Number.POSITIVE_INFINITY,
    },
  ]);
}

function mistakesOf(
  { id, keys, identities }: Caller,
  issuers: readonly IssuerConfig[],
  now: number,
): string[] {
  const live = keys.filter(({ expires_at }) => expires_at === undefined || expires_at > now).length;
  const names = issuers.map(({ name }) => name);
  return [
    ...(live > mostLiveKeys
      ? [`caller ${id} has ${live} live keys; ${mostLiveKeys} are enough to rotate, so remove the oldest`]
      : []),
    ...identities
      .filter(({ issuer }) => !names.includes(issuer))
      .map(({ issuer }) => `caller ${id} names the issuer "${issuer}", which is not in issuers`),
  ];
}

function finder(callers: readonly Caller[]): Policy["callerOf"] {
  const exact = new Map<string, Caller>();
  const prefixes: [prefix: string, caller: Caller][] = [];
  for (const caller of callers)
    for (const identity of caller.identities) {
      if ("subject" in identity) exact.set(identityKey(identity), caller);
      else prefixes.push([identityKey(identity).slice(0, -1), caller]);
    }
  prefixes.sort(([one], [other]) => other.length - one.length);
  return (issuer, subject) => {
    const key = identityKey({ issuer, subject });
    return exact.get(key) ?? prefixes.find(([prefix]) => key.startsWith(prefix))?.[1];
  };
}

/** Neither issuer names nor subjects that are taken hold a line feed. */
function identityKey(identity: Identity): string {
  return `${identity.issuer}\n${"subject" in identity ? identity.subject : `${identity.subject_prefix}*`}`;
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
function mistakes(lines: readonly string[]): Error {
  const rest = lines.length > mostLines ? [`and ${lines.length - mostLines} more`] : [];
  const message = [...lines.slice(0, mostLines), ...rest].join("; ");
  return new Error(redactCredentials(message).replace(/[0-9a-f]{64}/gi, "[hash]"));
}

function repeats(values: readonly (readonly [value: string, what: string])[]): string[] {
  const seen = new Set<string>();
  return values.flatMap(([value, what]) => {
    if (seen.has(value)) return [`${what} in the file twice`];
    seen.add(value);
    return [];
  });
}
