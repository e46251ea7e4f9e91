import t from "tap";
import { hashOf } from "../../../src/audit/chain.ts";
import type { Row, StoredRow } from "../../../src/audit/store.ts";
import { blockOf } from "../../../src/commands/audit/block.ts";
import { stored } from "../../audit/listed.ts";
import { Trail } from "../../audit/rows.ts";

const block = (row: Row) => blockOf(stored([row])[0] as StoredRow);

t.test("a change with all that is known of it", async (t) => {
  const trail = new Trail("a.1");
  const attempt = trail.attempt("r1", { fields: ["name", "callback_url"], event_types: ["bot.published"] });
  t.equal(
    block(attempt),
    `2027-03-10T12:00:00.000Z  attempt
  caller billing  credential_id 0123456789abcdef  operation delete_api_app  api_app_id 7300000000000000001  event_types bot.published  fields name,callback_url  request_id r1
  id a.1:1
`,
  );
  const attempts = [
    { attempt: 1, class: "fault", status: 502, ms: 3 },
    { attempt: 2, class: "refused", status: 200, code: 4200, logid: "L2", ms: 5 },
  ];
  t.equal(
    block(
      trail.outcome(attempt, {
        outcome: "refused",
        status: 404,
        error: "coze_not_found",
        stopped: "refused",
        attempts,
      }),
    ),
    `2027-03-10T12:00:01.000Z  outcome refused
  caller billing  operation delete_api_app  api_app_id 7300000000000000001  status 404  error coze_not_found  stopped refused  request_id r1
  attempt 1  class fault  status 502  ms 3
  attempt 2  class refused  status 200  code 4200  logid L2  ms 5
  id a.1:2  closes a.1:1
`,
  );
});

t.test("who owns an app, and who decided", async (t) => {
  const trail = new Trail("a.1");
  t.equal(
    block(trail.ownerChange("7", "billing", "")),
    `2027-03-10T12:00:00.000Z  owner
  api_app_id 7  owner (nobody)  previous_owner billing  operator alice
  id a.1:1
`,
  );
  const decided = {
    subject: "system:serviceaccount:a:b",
    rule: "callers[0].grants[1]",
    policy_version: "v7",
  };
  t.match(
    block(trail.created("7", "billing", { ...decided, dry_run: true })),
    / {2}caller billing {2}subject system:serviceaccount:a:b {2}operation create_api_app {2}api_app_id 7 {2}owner billing {2}rule callers\[0\]\.grants\[1\] {2}policy_version v7 {2}dry_run true {2}status 200 /,
  );
});

t.test("the life of a process", async (t) => {
  const trail = new Trail("a.1");
  const follows = { stream: "b.1", seq: 9, hash: "f".repeat(64) };
  t.match(
    block(trail.next({ kind: "opened", version: "1.2.3", follows })),
    /opened\n {2}version 1\.2\.3\n {2}id a\.1:1 {2}follows b\.1:9\n$/,
  );
  t.match(
    block(trail.next({ kind: "repaired", repaired_bytes: 0 })),
    /repaired\n {2}repaired_bytes 0\n {2}id a\.1:2\n$/,
  );
  const pruned = { pruned_segments: ["2027-01", "2027-02"], pruned_records: 7, checkpoints: [follows] };
  t.match(
    block(trail.next({ kind: "pruned", ...pruned })),
    /\n {2}pruned_segments 2027-01,2027-02 {2}pruned_records 7\n/,
  );
  t.match(block(trail.next({ kind: "stopped" })), /^2027-03-10T12:00:03\.000Z {2}stopped\n {2}id a\.1:4\n$/);
});

t.test("what was not written like this by a gateway is not made out to be a fact", async (t) => {
  const row = new Trail("a.1").attempt("r1");
  const withText = (text: string) => ({ ...row, text, hash: hashOf(text) });
  for (const bad of [
    { ...row, text: row.text.replace("billing", "mallory") },
    withText("no JSON \u001b[2J"),
    withText(row.text.replace("billing", "\u202e")),
    withText(row.text.replace('"caller"', '"callers"')),
  ]) {
    const text = block(bad);
    t.match(text, /^NOT INTACT, see audit verify\n {2}\{"id":"a\.1:1",.*\}\n$/);
    t.match(text.replaceAll("\n", ""), /^[ -~]+$/);
  }
});
