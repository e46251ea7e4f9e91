import { join } from "node:path";
import t from "tap";
import { openSqliteStore } from "../../../src/audit/sqlite/store.ts";
import { readAnchor } from "../../../src/audit/verify/anchor.ts";
import { verify } from "../../../src/audit/verify/verify.ts";
import { auditPrune } from "../../../src/commands/audit/prune.ts";
import { Trail } from "../../audit/rows.ts";
import { problemsOf, terminal } from "../files.ts";

/** A store of three months, two of them long gone, and the environment that names it. */
async function aged(t: Pick<typeof import("tap").t, "testdir">) {
  const path = join(t.testdir({}), "audit.db");
  const store = await openSqliteStore(path, { stream: "a.1" });
  const trail = new Trail("a.1");
  const times = ["2020-01-31T23:59:59Z", "2020-02-01T00:00:00Z", new Date().toISOString()];
  const rows = times.map((time) => trail.next({ time: Date.parse(time) }));
  await store.append(rows, undefined);
  await store.close();
  return { path, environment: { AUDIT_STORE: `sqlite:${path}` } };
}

t.test("removes old months, and leaves a trail that verifies with what it printed", async (t) => {
  const { path, environment } = await aged(t);
  const screen = terminal({ ...environment, AUDIT_RETENTION_DAYS: "400" });
  await auditPrune([], screen);
  t.match(screen.printed(), /\n2 records removed\n$/);
  const lines = screen.printed().split("\n");
  const store = await openSqliteStore(path, {});
  t.teardown(() => store.close());
  const kinds = (await store.find({}, { order: "oldest_first", limit: 9 })).map(({ kind }) => kind);
  t.same(kinds.slice(-3), ["opened", "pruned", "stopped"]);
  t.equal(kinds.length, 4);
  t.equal(lines.filter((line) => typeof readAnchor(line) === "object").length, 3);
  async function* anchors() {
    yield* lines;
  }
  t.same((await verify(store, { anchors: anchors() })).faults, []);
});

t.test("--days comes before the variable; nothing to remove is no error", async (t) => {
  const { environment } = await aged(t);
  const screen = terminal({ ...environment, AUDIT_RETENTION_DAYS: "1" });
  await auditPrune(["--days", "99999"], screen);
  t.match(screen.printed(), /\n0 records removed\n$/);
});

t.test("says what it needs", async (t) => {
  const { environment } = await aged(t);
  await t.rejects(auditPrune([], terminal(environment)), {
    name: "UsageError",
    message: /--days N, or AUDIT_RETENTION_DAYS/,
  });
  for (const days of ["0", "-1", "1.5", "x", "100000"]) {
    await t.rejects(auditPrune([`--days=${days}`], terminal(environment)), { name: "UsageError" }, days);
  }
});

t.test("a store that another process writes is left alone", async (t) => {
  const { path, environment } = await aged(t);
  const holder = await openSqliteStore(path, { stream: "b.1" });
  t.teardown(() => holder.close());
  const problems = await problemsOf(auditPrune(["--days", "400"], terminal(environment)));
  t.match(problems, [/^AUDIT_STORE sqlite:.*another process/]);
  t.equal((await holder.find({}, { order: "oldest_first", limit: 9 })).length, 3);
});
