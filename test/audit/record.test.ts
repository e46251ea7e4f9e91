import { Ajv2020 } from "ajv/dist/2020.js";
import addFormats from "ajv-formats";
import t from "tap";
import * as z from "zod";
import { auditKinds, auditRecord, parseRecordId, recordId } from "../../src/audit/record.ts";
import { gatewayErrors } from "../../src/errors.ts";

const hash = "0123456789abcdef".repeat(4);
const link = { stream: "gateway-1.00ff", seq: 7, hash };

const subject = {
  request_id: "0b6f6a1e-6d0c-4c9d-8a52-3f1d8d6f7b10",
  caller: "billing",
  credential_id: "0123456789abcdef",
  operation: "subscribe_events",
  permission: "subscribeApiAppEvent",
  api_app_id: "7512345678901234567",
  event_types: ["bot.published"],
  fields: ["name"],
  subject: "system:serviceaccount:payments:worker",
  rule: "callers[3].grants[0]",
  policy_version: "9f86d081884c7d65",
};

/** A record with the fields that every one has. */
const recordOf = (more: object) => ({
  v: 1,
  stream: "gateway-1.00ff",
  seq: 8,
  segment: "2027-03",
  time: "2027-03-10T12:00:00.000Z",
  uptime_ms: 12_345,
  settled_to: 0,
  prev_hash: hash,
  ...more,
});

const outcome = recordOf({
  ...subject,
  kind: "outcome",
  closes: { stream: link.stream, seq: 7 },
  outcome: "refused",
  dry_run: true,
  owner: "billing",
  status: 429,
  error: "coze_throttled",
  stopped: "attempts_used_up",
  attempts: [{ attempt: 1, class: "throttled", status: 429, code: -1, logid: "20260311_A-b", ms: 12 }],
});

const opened = recordOf({ kind: "opened", version: "0.1.0", follows: link });

const pruned = recordOf({
  kind: "pruned",
  pruned_segments: ["2026-12", "2027-01"],
  pruned_records: 2,
  checkpoints: [link],
});

const good = [
  opened,
  recordOf({ ...subject, kind: "attempt" }),
  outcome,
  recordOf({ ...subject, kind: "refused", outcome: "not_sent", status: 403, error: "forbidden" }),
  recordOf({ ...subject, kind: "closed", closes: { stream: "dead.1", seq: 3 }, outcome: "unknown" }),
  recordOf({ kind: "repaired", repaired_bytes: 4096 }),
  pruned,
  recordOf({ kind: "alive" }),
  recordOf({ kind: "stopped" }),
  recordOf({ kind: "owner", api_app_id: "7512", owner: "", previous_owner: "billing", operator: "alice" }),
];

const ajv = new Ajv2020({ allErrors: true });
addFormats.default(ajv);
const matchesJsonSchema = ajv.compile(z.toJSONSchema(auditRecord));

/** What the schema and its JSON form say of the value, which must be the same. */
function accepted(value: unknown): boolean | "they disagree" {
  const byZod = auditRecord.safeParse(value).success;
  return matchesJsonSchema(value) === byZod ? byZod : "they disagree";
}

t.test("a record of each kind passes the schema and its JSON form", async (t) => {
  t.strictSame(new Set(good.map((record) => "kind" in record && record.kind)), new Set(auditKinds));
  for (const record of good) t.equal(accepted(record), true, JSON.stringify(record));
});

t.test("every error that a caller can get has its word in the schema", async (t) => {
  for (const error of Object.keys(gatewayErrors)) t.equal(accepted({ ...outcome, error }), true, error);
});

/** What could split a line, colour a terminal, turn a text around, end a string or make an object. */
const hostile = [
  "",
  "a\r\nb",
  "a\n",
  "\u001b[31m",
  "a\u2028b",
  "a\u2029b",
  "\u202eb",
  "\u0000",
  'a","seq":1,"x":"',
  "a\\",
  "a b",
  "é",
  "\ud800",
  "x".repeat(129),
];

/** Each text field, and the record with the hostile text in it. */
const textFields: Readonly<Record<string, (text: string) => object>> = {
  stream: (stream) => ({ ...opened, stream }),
  segment: (segment) => ({ ...opened, segment }),
  time: (time) => ({ ...opened, time }),
  kind: (kind) => ({ ...opened, kind }),
  prev_hash: (prev_hash) => ({ ...opened, prev_hash }),
  version: (version) => ({ ...opened, version }),
  "follows.stream": (stream) => ({ ...opened, follows: { ...link, stream } }),
  "follows.hash": (text) => ({ ...opened, follows: { ...link, hash: text } }),
  request_id: (request_id) => ({ ...outcome, request_id }),
  caller: (caller) => ({ ...outcome, caller }),
  credential_id: (credential_id) => ({ ...outcome, credential_id }),
  operation: (operation) => ({ ...outcome, operation }),
  permission: (permission) => ({ ...outcome, permission }),
  api_app_id: (api_app_id) => ({ ...outcome, api_app_id }),
  event_types: (text) => ({ ...outcome, event_types: ["bot.published", text] }),
  fields: (text) => ({ ...outcome, fields: [text] }),
  "closes.stream": (stream) => ({ ...outcome, closes: { stream, seq: 1 } }),
  outcome: (text) => ({ ...outcome, outcome: text }),
  error: (error) => ({ ...outcome, error }),
  stopped: (stopped) => ({ ...outcome, stopped }),
  "attempts.class": (text) => ({ ...outcome, attempts: [{ attempt: 1, class: text, ms: 1 }] }),
  "attempts.logid": (logid) => ({ ...outcome, attempts: [{ attempt: 1, class: "ok", logid, ms: 1 }] }),
  pruned_segments: (text) => ({ ...pruned, pruned_segments: [text] }),
  "checkpoints.stream": (stream) => ({ ...pruned, checkpoints: [{ ...link, stream }] }),
  "checkpoints.hash": (text) => ({ ...pruned, checkpoints: [{ ...link, hash: text }] }),
};

for (const [name, withText] of Object.entries(textFields)) {
  t.test(`${name} takes no hostile text`, async (t) => {
    t.strictSame(
      hostile.filter((text) => accepted(withText(text)) !== false),
      [],
    );
  });
}

/** Fields of another length, or that can be empty, with what they take at most. */
const otherFields: readonly (readonly [string, number, number])[] = [
  ["subject", 1, 255],
  ["rule", 1, 160],
  ["owner", 0, 128],
  ["previous_owner", 0, 128],
  ["operator", 1, 128],
];

for (const [name, least, most] of otherFields) {
  t.test(`${name} takes no hostile text, and ${least} to ${most} characters`, async (t) => {
    const texts = hostile.filter((text) => text !== "" && !/^x+$/.test(text));
    t.strictSame(
      texts.filter((text) => accepted({ ...outcome, [name]: text }) !== false),
      [],
    );
    for (const length of [0, 1, most, most + 1]) {
      const right = length >= least && length <= most;
      t.equal(accepted({ ...outcome, [name]: "x".repeat(length) }), right, `${length}`);
    }
  });
}

t.test("a subject is one of a token, and a dry run is one or is not there", async (t) => {
  for (const subject of ["alice@example.org", "auth0|5f7c", "spiffe://cluster/ns/a+b=c", "0"])
    t.equal(accepted({ ...outcome, subject }), true, subject);
  for (const subject of [":a", "-a", "a b", 'a"b'])
    t.equal(accepted({ ...outcome, subject }), false, subject);
  for (const dry_run of [false, "true", 1, null]) t.equal(accepted({ ...outcome, dry_run }), false);
});

t.test("values that could be secret have no field", async (t) => {
  for (const name of ["hash", "verify_token", "callback_url", "name", "body", "authorization"]) {
    t.equal(accepted({ ...outcome, [name]: "x" }), false, name);
  }
  for (const nested of [
    { closes: { stream: "a", seq: 1, x: 1 } },
    { attempts: [{ attempt: 1, class: "ok", ms: 1, body: "x" }] },
    { follows: { ...link, x: 1 } },
  ]) {
    t.equal(accepted({ ...outcome, ...nested }), false);
  }
});

t.test("numbers that are none of a chain are refused", async (t) => {
  for (const change of [
    { seq: 0 },
    { seq: 1.5 },
    { seq: 2 ** 53 },
    { seq: "1" },
    { v: 2 },
    { settled_to: -1 },
    { uptime_ms: 0.5 },
    { segment: "2027-3" },
    { segment: "2027-13" },
    { time: "2027-03-10T12:00:00Z" },
    { time: "2027-03-10T13:00:00.000+01:00" },
  ]) {
    t.equal(accepted({ ...opened, ...change }), false, JSON.stringify(change));
  }
});

t.test("an id of a record is read back", async (t) => {
  for (const place of [
    { stream: "a", seq: 1 },
    { stream: "gateway-1.00ff", seq: 999_999_999_999_999 },
    { stream: "A._-9".repeat(20), seq: 42 },
  ]) {
    t.strictSame(parseRecordId(recordId(place)), place);
  }
});

t.test("what is no id of a record is none", async (t) => {
  const ids = ["", "a", "a:", ":1", "a:0", "a:01", "a:-1", "a:1.5", "a:1e3", "a:1000000000000000", "a:1\n"];
  ids.push("a b:1", "a:b:1", "\u2028:1", `${"a".repeat(101)}:1`, "a:\u0661");
  t.strictSame(
    ids.filter((id) => parseRecordId(id)),
    [],
  );
});
