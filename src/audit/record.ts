import * as z from "zod";
import { gatewayErrors } from "../errors.ts";
import { apiAppIdPattern } from "../operations/schemas.ts";

/** What a record can be about. */
export const auditKinds = [
  "opened",
  "attempt",
  "outcome",
  "refused",
  "closed",
  "repaired",
  "pruned",
  "alive",
  "stopped",
  "owner",
] as const;

/** How what was asked for ended. `failed` is for reads only: they change nothing, so there is no doubt to tell of. */
export const auditOutcomes = ["done", "refused", "not_sent", "unknown", "failed"] as const;

const streamName = /^[A-Za-z0-9._-]{1,100}$/;
const word = z.string().regex(/^[A-Za-z0-9_.-]{1,128}$/);
const hash = z.string().regex(/^[0-9a-f]{64}$/);
/** Empty means nobody. */
const ownerId = z.string().regex(/^[A-Za-z0-9_.-]{0,128}$/);
const month = z.string().regex(/^\d{4}-(0[1-9]|1[0-2])$/);
const seq = z.int().min(1);
const place = { stream: z.string().regex(streamName), seq };
const link = z.strictObject({ ...place, hash });

const cozeAttempt = z.strictObject({
  attempt: z.int().describe("1 for the first attempt"),
  class: word.describe("How it ended: ok, not_sent, throttled, fault, lost, token_rejected or refused"),
  status: z.int().optional().describe("HTTP status, when there was one"),
  code: z.int().optional().describe("Coze's own code, when its reply could be read"),
  logid: word.optional().describe("Coze's x-tt-logid"),
  ms: z.int().describe("Duration in ms"),
});

/**
 * One record of the audit trail, version 1: the schema that is published, and the type. Every text in it matches a
 * narrow pattern, so nothing that a caller sends can forge or split a record. Values that could be secret (names,
 * callback URLs, tokens, bodies) have no field here.
 */
export const auditRecord = z.strictObject({
  v: z.literal(1).describe("Version of this schema"),
  stream: place.stream.describe("The process that wrote it: instance name and start id"),
  seq: seq.describe("Number in the stream: 1, 2, 3, ... without a gap"),
  segment: month.describe("Month (UTC) by which retention removes it; never goes back within a stream"),
  time: z.iso.datetime({ precision: 3 }).describe("Wall clock, UTC"),
  uptime_ms: z.int().describe("Monotonic clock of the process, in ms: tells when the wall clock was set"),
  kind: z
    .enum(auditKinds)
    .describe(
      "attempt: stored before a change goes to Coze; outcome: how it, or a read, ended; refused: a known caller was " +
        "refused; closed: another process closes an attempt whose own died; opened, alive, stopped: life of the " +
        "process; repaired: what a crash left in the store; pruned: retention; owner: an operator changed who owns a " +
        "callback app",
    ),
  settled_to: z
    .int()
    .min(0)
    .describe("Every attempt of this stream up to this seq has its outcome: where to look after a crash"),
  request_id: word.optional(),
  caller: word.optional().describe("Id in the callers file"),
  subject: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9_.:/@|+=-]{0,254}$/)
    .optional()
    .describe("Subject of the JWT by which the caller was known; absent with a key"),
  credential_id: word.optional().describe("First 16 hex digits of the SHA-256 of the key that was used"),
  operation: word.optional(),
  permission: word.optional().describe("The permission that the operation takes"),
  rule: z
    .string()
    .regex(/^[A-Za-z0-9_.[\]+-]{1,160}$/)
    .optional()
    .describe("The grant in the callers file that allowed it"),
  policy_version: word.optional().describe("Version of the callers file that decided"),
  dry_run: z.literal(true).optional().describe("Only asked what would happen; nothing was to change"),
  api_app_id: z.string().regex(new RegExp(apiAppIdPattern)).optional(),
  event_types: z.array(word).optional(),
  fields: z.array(word).optional().describe("Names of the fields that were sent, never their values"),
  closes: z.strictObject(place).optional().describe("The attempt that this outcome or closing belongs to"),
  outcome: z
    .enum(auditOutcomes)
    .optional()
    .describe(
      "done; refused: Coze did not do it; not_sent: nothing left the gateway; unknown: it may have happened; " +
        "failed: a read that gave nothing",
    ),
  status: z
    .int()
    .optional()
    .describe("HTTP status that was decided; a record that comes too late is answered 500 or 503"),
  error: z
    .enum(Object.keys(gatewayErrors) as (keyof typeof gatewayErrors)[])
    .optional()
    .describe("gateway.error that was decided"),
  stopped: word.optional().describe("Why no further attempt was made"),
  attempts: z.array(cozeAttempt).optional().describe("Every attempt at Coze, with its logid"),
  version: word.optional().describe("opened: version of the gateway"),
  follows: link.optional().describe("opened: the newest record that the store held then"),
  repaired_bytes: z.int().optional().describe("repaired: bytes of an unfinished write that were dropped"),
  pruned_segments: z.array(month).optional().describe("pruned: the months that were removed"),
  pruned_records: z.int().optional().describe("pruned: how many records they held"),
  checkpoints: z
    .array(link)
    .optional()
    .describe("pruned: the last removed record of each stream, where its chain goes on from"),
  owner: ownerId
    .optional()
    .describe(
      "Caller that owns api_app_id from this record on: outcome: as it created the app, and if nobody owned it; " +
        "owner: as an operator says; empty for nobody",
    ),
  previous_owner: ownerId
    .optional()
    .describe(
      "owner: who owned api_app_id until then, empty for nobody; when it was somebody else, the record has no effect",
    ),
  operator: word.optional().describe("owner: user of the operating system who ran the command"),
  prev_hash: hash.describe("hash of the record before it in the stream; 64 zeros for the first"),
});

/** One record as it is hashed: everything but its own hash. */
export type AuditRecord = z.output<typeof auditRecord>;
export type AuditKind = (typeof auditKinds)[number];
export type AuditOutcome = (typeof auditOutcomes)[number];

/** A place in a stream together with the hash of the record there. */
export type Link = z.output<typeof link>;

/** The place and hash of a stored row; undefined when somebody made them what no record of ours can name. */
export function asLink({ stream, seq, hash }: Link): Link | undefined {
  return link.safeParse({ stream, seq, hash }).data;
}

/** What a record says of itself before it gets its place in the chain. `time` is in ms since the epoch. */
export type Draft = Omit<
  AuditRecord,
  "v" | "stream" | "seq" | "segment" | "time" | "settled_to" | "prev_hash"
> & { readonly time: number };

/** The id under which a record is found: stable, and the same in every store. */
export function recordId({ stream, seq }: { readonly stream: string; readonly seq: number }): string {
  return `${stream}:${seq}`;
}

/** Reads an id of `recordId`; undefined when it is none. */
export function parseRecordId(id: string): { stream: string; seq: number } | undefined {
  const [, stream = "", digits = ""] = /^([A-Za-z0-9._-]{1,100}):([1-9]\d{0,14})$/.exec(id) ?? [];
  return stream === "" ? undefined : { stream, seq: Number(digits) };
}
