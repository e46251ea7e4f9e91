import canonicalize from "canonicalize";
import t from "tap";
import { hashOf } from "../../../src/audit/chain.ts";
import type { StoredRow } from "../../../src/audit/store.ts";
import { Findings } from "../../../src/audit/verify/findings.ts";
import { readRow } from "../../../src/audit/verify/row.ts";
import { stored } from "../listed.ts";
import { Trail } from "../rows.ts";

const trail = new Trail("a.1");
const attempt = trail.attempt("r");
const attempts = [
  { attempt: 1, class: "throttled", logid: "log-b", ms: 1 },
  { attempt: 2, class: "lost", ms: 1 },
  { attempt: 3, class: "ok", logid: "log-a", ms: 1 },
];
const done = trail.outcome(attempt, { attempts });
const opened = trail.next({ kind: "opened", follows: { stream: "b.1", seq: 1, hash: "f".repeat(64) } });
const [first, outcome, start] = stored([attempt, done, opened]) as [StoredRow, StoredRow, StoredRow];

/** What is found wrong with a row. */
function wrongWith(row: StoredRow) {
  const findings = new Findings();
  const record = readRow(row, findings);
  t.equal(record === undefined, findings.list().length > 0);
  return findings
    .list()
    .map(({ kind, first: { id, position, what } }) => `${kind} ${id} ${position} ${what}`);
}

t.test("a row that is as it was stored gives its record", async (t) => {
  for (const row of [first, outcome, start]) {
    t.strictSame(readRow(row, new Findings()), JSON.parse(row.text));
    t.strictSame(wrongWith(row), []);
  }
});

t.test("a text that does not have its hash", async (t) => {
  const altered = ["altered a.1:1 1 its text does not have the hash that is stored with it"];
  t.strictSame(wrongWith({ ...first, text: first.text.replace("billing", "shop") }), altered);
  t.strictSame(wrongWith({ ...first, hash: outcome.hash }), altered);
  t.strictSame(wrongWith({ ...first, hash: first.hash.toUpperCase() }), altered);
});

t.test("a damaged store can give something that is no text", async (t) => {
  for (const nothing of [null, 7, new Uint8Array(Buffer.from(first.text))]) {
    const [found] = wrongWith({ ...first, text: nothing as unknown as string });
    t.match(found, /^altered/);
  }
});

t.test("a text with its hash that is no record", async (t) => {
  const unreadable = ["unreadable a.1:1 1 its text has its hash, but is no audit record"];
  for (const text of [
    "",
    "{",
    "null",
    "7",
    "[]",
    `[${first.text}]`,
    ` ${first.text}`,
    '{"attempts":7}',
    '{"attempts":[null]}',
  ]) {
    t.strictSame(wrongWith({ ...first, text, hash: hashOf(text) }), unreadable, text);
  }
});

t.test("a record whose links are followed must be right in every field", async (t) => {
  const text = canonicalize({ ...JSON.parse(start.text), follows: { stream: "b.1", seq: "1" } }) as string;
  t.match(wrongWith({ ...start, text, hash: hashOf(text) }), [/^unreadable a\.1:3/]);
});

t.test("a column that does not say what the text says", async (t) => {
  const changed: Partial<StoredRow>[] = [
    { stream: "a.2" },
    { seq: 9 },
    { segment: "2027-04" },
    { time: first.time + 1 },
    { kind: "refused" },
    { request_id: "s" },
    { caller: null },
    { operation: "create_api_app" },
    { api_app_id: "7" },
    { outcome: "done" },
    { closes_stream: "a.1" },
    { closes_seq: 1 },
    { credential_id: "fedcba9876543210" },
    { owner: "mallory" },
    { previous_owner: "" },
    { logids: ["log-a"] },
  ];
  for (const change of changed) {
    const [column = ""] = Object.keys(change);
    const row = { ...first, ...change };
    const what = `its column ${column} does not say what its text says`;
    t.strictSame(wrongWith(row), [`mislabeled ${row.stream}:${row.seq} 1 ${what}`]);
  }
});

t.test("logids", async (t) => {
  t.strictSame(outcome.logids, ["log-a", "log-b"]);
  for (const logids of [[], ["log-a"], ["log-b", "log-a"], ["log-a", "log-c"], ["log-a", "log-b", "log-c"]]) {
    t.match(wrongWith({ ...outcome, logids }), [/^mislabeled a\.1:2 2 its column logids/]);
  }
});

t.test("the position is not part of the text", async (t) => {
  t.strictSame(wrongWith({ ...first, position: 99 }), []);
});
