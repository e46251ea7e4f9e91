import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import t from "tap";
import { openSqliteStore } from "../../../src/audit/sqlite/store.ts";
import { lastUseOf } from "../../../src/commands/keys/last-use.ts";
import { start, Trail } from "../../audit/rows.ts";

const ids = ["0123456789abcdef", "fedcba9876543210"] as const;

/** A store in which the first credential was used twice, and the environment that names it. */
async function store(t: Pick<typeof import("tap").t, "testdir">) {
  const path = join(t.testdir({}), "audit.db");
  const opened = await openSqliteStore(path, { stream: "a.1" });
  const trail = new Trail("a.1");
  const used = { kind: "refused", caller: "billing", credential_id: ids[0] } as const;
  await opened.append([trail.next(used), trail.next(used), trail.next()], undefined);
  await opened.close();
  return { path, environment: { AUDIT_STORE: `sqlite:${path}` } };
}

t.test("the time of the newest record of each credential that has one", async (t) => {
  const { environment } = await store(t);
  const { times, trouble } = await lastUseOf(ids, { environment });
  t.strictSame([...times], [[ids[0], new Date(start + 1000).toISOString()]]);
  t.equal(trouble, undefined);
});

t.test("a store that is not there, or is not configured well, is told of", async (t) => {
  const environment = { AUDIT_STORE: `sqlite:${join(t.testdir({}), "audit.db")}` };
  const missing = await lastUseOf(ids, { environment });
  t.match(missing.trouble, /^AUDIT_STORE sqlite:.*audit\.db: .*no such file/);
  t.equal(missing.times.size, 0);
  t.match((await lastUseOf(ids, { environment: { AUDIT_STORE: "mysql:x" } })).trouble, /^AUDIT_STORE: /);
});

t.test("a time that no calendar has is shown as it is", async (t) => {
  const { path, environment } = await store(t);
  const database = new DatabaseSync(path);
  database.exec("DROP TRIGGER audit_record_keep; UPDATE audit_record SET time = 9000000000000000");
  database.close();
  t.equal((await lastUseOf(ids, { environment })).times.get(ids[0]), "9000000000000000");
});

t.test("a bug is thrown", async (t) => {
  const { environment } = await store(t);
  const broken = Object.assign([], {
    [Symbol.iterator]: () => {
      throw new TypeError("a bug");
    },
  });
  await t.rejects(lastUseOf(broken, { environment }), { name: "TypeError", message: "a bug" });
});
