import { join } from "node:path";
import t from "tap";
import { auditFind } from "../../../src/commands/audit/find.ts";
import { healthyStore } from "../../audit/healthy.ts";
import { terminal } from "../files.ts";

const { path } = await healthyStore(join(t.testdir({}), "audit.db"));

/** What `find` prints with these flags. */
async function find(args: readonly string[], isTTY = false): Promise<string> {
  const { printed, ...rest } = terminal({ AUDIT_STORE: `sqlite:${path}` });
  await auditFind(args, { ...rest, isTTY });
  return printed();
}

const idsIn = (text: string) => text.match(/(?<="id":")[^"]+/g) ?? [];

t.test("the newest records that match, newest first, as NDJSON", async (t) => {
  const all = idsIn(await find([]));
  t.equal(all.length, 20);
  t.strictSame(all.slice(0, 2), ["d.4:18", "d.4:17"]);
  t.strictSame(idsIn(await find(["--limit", "3"])), all.slice(0, 3));
  t.strictSame(idsIn(await find(["--logid", "log-b"])), ["c.3:15"]);
  t.strictSame(idsIn(await find(["--request-id", "lost"])), ["b.2:28"]);
  t.strictSame(idsIn(await find(["--kind", "opened"])), ["d.4:1", "c.3:1", "b.2:1"]);
  t.strictSame(idsIn(await find(["--outcome", "unknown", "--to", "2027-03-21"])), ["c.3:2"]);
  t.strictSame(idsIn(await find(["--outcome", "unknown", "--from", "2027-03-21"])), []);
  t.match(JSON.parse((await find(["--limit=1"])).trimEnd()), {
    id: "d.4:18",
    intact: true,
    record: { kind: "attempt" },
  });
});

t.test("at a terminal a person reads blocks", async (t) => {
  t.match(
    await find(["--logid", "log-b"], true),
    /^2027-03-20T08:00:00.000Z {2}outcome done\n {2}caller billing .*\n\n$/s,
  );
  t.match(await find(["--limit", "2"], true), /id d\.4:17.*\n\nThe newest 2; there may be more/s);
  t.equal(await find(["--caller", "nobody"], true), "No record matches.\n");
});

t.test("--json forces NDJSON, in which nothing is nothing", async (t) => {
  t.equal(await find(["--limit=2", "--json"], true), await find(["--limit=2"]));
  t.equal(await find(["--caller", "nobody", "--json"], true), "");
  t.equal(await find(["--caller", "nobody"]), "");
});

t.test("a wrong limit is told what is right, before the store is opened", async (t) => {
  const message = "--limit must be between 1 and 1000; audit export gives everything";
  for (const limit of ["0", "1001", "-1", "x", "1.5", ""]) {
    const nowhere = terminal({ AUDIT_STORE: "sqlite:/nowhere/audit.db" });
    await t.rejects(auditFind([`--limit=${limit}`], nowhere), { name: "UsageError", message }, limit);
  }
  t.equal(idsIn(await find(["--limit=1000"])).length, 81);
});

t.test("an unknown flag is refused", async (t) => {
  await t.rejects(find(["--app", "7"]), { code: "ERR_PARSE_ARGS_UNKNOWN_OPTION" });
  await t.rejects(find(["d.4:1"]), { code: "ERR_PARSE_ARGS_UNEXPECTED_POSITIONAL" });
});
