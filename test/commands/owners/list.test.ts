import { join } from "node:path";
import t from "tap";
import { openSqliteStore } from "../../../src/audit/sqlite/store.ts";
import type { Row } from "../../../src/audit/store.ts";
import { ownersList } from "../../../src/commands/owners/list.ts";
import { Attacker } from "../../audit/attacker.ts";
import { Trail } from "../../audit/rows.ts";
import { problemsOf, terminal } from "../files.ts";

/** A store with these records, and what `owners list` prints of it. */
async function place(t: Pick<typeof import("tap").t, "testdir">, write: (trail: Trail) => Row[]) {
  const path = join(t.testdir({}), "audit.db");
  const store = await openSqliteStore(path, { stream: "a.1" });
  await store.append(write(new Trail("a.1")), undefined);
  await store.close();
  const list = async (...args: readonly string[]) => {
    const screen = terminal({ AUDIT_STORE: `sqlite:${path}` });
    await ownersList(args, screen);
    return screen.printed();
  };
  return { path, list };
}

t.test("who owns which app, since when, and by which record", async (t) => {
  const { list } = await place(t, (trail) => [
    trail.created("7", "crm"),
    trail.created("5", "billing"),
    trail.created("6", "billing"),
    trail.ownerChange("6", "billing", ""),
    trail.ownerChange("5", "billing", "crm"),
    trail.created("8", "billing"),
  ]);
  const crm =
    "5  crm  since 2027-03-10T12:00:04.000Z  a.1:5\n7  crm  since 2027-03-10T12:00:00.000Z  a.1:1\n";
  const billing = "8  billing  since 2027-03-10T12:00:05.000Z  a.1:6\n";
  t.equal(await list(), crm + billing);
  t.equal(await list("--owner", "crm"), crm);
  t.equal(await list("--owner=nobody"), "Nobody owns a callback app.\n");
  t.equal(await list("--owner=nobody", "--json"), "");
  t.strictSame(JSON.parse(await list("--owner", "billing", "--json")), {
    api_app_id: "8",
    owner: "billing",
    since: "2027-03-10T12:00:05.000Z",
    record: "a.1:6",
  });
});

t.test("all pages", async (t) => {
  const apps = Array.from({ length: 1_000 }, (_, at) => String(10_000 + at));
  const { list } = await place(t, (trail) => apps.map((app) => trail.created(app, "billing")));
  const listed = (await list("--json")).trimEnd().split("\n");
  t.strictSame(
    listed.map((line) => JSON.parse(line).api_app_id),
    apps,
  );
});

t.test("what somebody put into the store does nothing to a terminal", async (t) => {
  const { path, list } = await place(t, (trail) => [trail.created("7", "crm")]);
  const attacker = new Attacker(path);
  attacker.run(1, "UPDATE app_owner SET owner = ?, stream = ?, since = ?", "\u001b[2J", "\u202e", 9e15);
  attacker.close();
  t.equal(await list(), "7  \\u001b[2J  since 9000000000000000  \\u202e:1\n");
  t.match(await list("--json"), /^[ -~]+\n$/);
  t.match(JSON.parse(await list("--json")), { owner: "\u001b[2J", since: "9000000000000000" });
});

t.test("wrong words, and a store that is not there", async (t) => {
  const { list } = await place(t, (trail) => trail.rows(1));
  await t.rejects(list("--owner", "Billing"), { name: "UsageError", message: /^--owner must name a caller/ });
  await t.rejects(list("--app", "7"), { code: "ERR_PARSE_ARGS_UNKNOWN_OPTION" });
  await t.rejects(list("billing"), { code: "ERR_PARSE_ARGS_UNEXPECTED_POSITIONAL" });
  const nowhere = terminal({ AUDIT_STORE: `sqlite:${t.testdir({})}/audit.db` });
  t.match(await problemsOf(ownersList([], nowhere)), [/no such file/]);
});
