import { parseArgs } from "node:util";
import t from "tap";
import { filterFlags, filterOf } from "../../../src/commands/audit/filter.ts";
import { UsageError } from "../../../src/commands/command.ts";

const filter = (...args: readonly string[]) =>
  filterOf(parseArgs({ args: [...args], options: filterFlags }).values);
const nothing = Object.fromEntries(
  [
    "logid",
    "caller",
    "operation",
    "request_id",
    "credential_id",
    "api_app_id",
    "outcome",
    "kind",
    "from",
    "to",
  ].map((name) => [name, undefined]),
);

t.test("no flag asks for everything", async (t) => {
  t.strictSame(filter(), nothing);
});

t.test("each flag asks for its own", async (t) => {
  for (const [flag, asked] of [
    ["--logid=l", { logid: "l" }],
    ["--request-id=r", { request_id: "r" }],
    ["--caller=billing", { caller: "billing" }],
    ["--credential-id=d18fb7e235ee0b0f", { credential_id: "d18fb7e235ee0b0f" }],
    ["--operation=delete_api_app", { operation: "delete_api_app" }],
    ["--api-app-id=7512", { api_app_id: "7512" }],
    ["--outcome=unknown", { outcome: "unknown" }],
    ["--kind=attempt", { kind: "attempt" }],
    ["--from=2027-01-31", { from: Date.UTC(2027, 0, 31) }],
    ["--to=2027-01-31T12:00:00Z", { to: Date.UTC(2027, 0, 31, 12) }],
    ["--to=2027-01-31T12:00:00.5+08:00", { to: Date.UTC(2027, 0, 31, 4, 0, 0, 500) }],
  ] as const) {
    t.strictSame(filter(flag), { ...nothing, ...asked }, flag);
  }
});

t.test("a wrong value is told what is right", async (t) => {
  for (const [flag, right] of [
    ["--outcome=ok", "--outcome must be one of done, refused, not_sent, unknown, failed"],
    ["--outcome=", /--outcome must be one of/],
    ["--kind=Attempt", /--kind must be one of opened, attempt, /],
    ["--from=yesterday", "--from must be a date or a time, such as 2027-01-31 or 2027-01-31T12:00:00+08:00"],
    ["--from=2027-02-30", /--from must be/],
    ["--from=2027-01-31T12:00:00", /--from must be/],
    ["--to=1700000000", /--to must be/],
    ["--to=", /--to must be/],
  ] as const) {
    t.throws(() => filter(flag), { name: "UsageError", message: right }, flag);
  }
  t.throws(() => filter("--outcome=ok"), UsageError);
});
