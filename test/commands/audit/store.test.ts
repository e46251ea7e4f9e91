import { access } from "node:fs/promises";
import { join } from "node:path";
import t from "tap";
import { openSqliteStore } from "../../../src/audit/sqlite/store.ts";
import { type AuditStore, StoreError } from "../../../src/audit/store.ts";
import { withStore } from "../../../src/commands/audit/store.ts";
import { Trail } from "../../audit/rows.ts";
import { problemsOf } from "../files.ts";

/** A store with one record, and the environment that names it. */
async function small(t: Pick<typeof import("tap").t, "testdir">) {
  const path = join(t.testdir({}), "audit.db");
  const store = await openSqliteStore(path, { stream: "a.1" });
  await store.append([new Trail("a.1").next()], undefined);
  await store.close();
  return { path, terminal: { environment: { AUDIT_STORE: `sqlite:${path}` } } };
}

t.test("lends the store to read, and closes it", async (t) => {
  const { terminal } = await small(t);
  let lent: AuditStore | undefined;
  const rows = await withStore(terminal, async (store) => {
    lent = store;
    await t.rejects(store.append([], undefined), StoreError);
    return store.chain(undefined, 9);
  });
  t.equal(rows.length, 1);
  await t.rejects(Promise.resolve(lent?.chain(undefined, 9)), StoreError);
});

t.test("closes it also when what it was lent for fails", async (t) => {
  const { terminal } = await small(t);
  let lent: AuditStore | undefined;
  const failing = withStore(terminal, async (store) => {
    lent = store;
    throw new TypeError("a bug");
  });
  await t.rejects(failing, { name: "TypeError", message: "a bug" });
  await t.rejects(Promise.resolve(lent?.chain(undefined, 9)), StoreError);
});

t.test("a store that is not there is a mistake of the configuration, and is not made", async (t) => {
  const path = join(t.testdir({}), "audit.db");
  const environment = { AUDIT_STORE: `sqlite:${path}` };
  const problems = await problemsOf(
    withStore({ environment }, async () => t.fail("there is nothing to lend")),
  );
  t.match(problems, [new RegExp(`^AUDIT_STORE sqlite:${path}: .*no such file`)]);
  await t.rejects(access(path));
});

t.test("trouble while it is read as well, and it shows no password", async (t) => {
  const { terminal } = await small(t);
  const problems = await problemsOf(
    withStore(terminal, async () => {
      throw new StoreError("page 7 is gone");
    }),
  );
  t.match(problems, [/^AUDIT_STORE sqlite:.*audit\.db: page 7 is gone$/]);
  const environment = { AUDIT_STORE: "postgres://auditor:secret@127.0.0.1:1/audit" };
  const [problem = ""] = await problemsOf(withStore({ environment }, async () => t.fail()));
  t.match(problem, /^AUDIT_STORE postgres:\/\/auditor:/);
  t.notMatch(problem, "secret");
});

t.test("a wrong configuration", async (t) => {
  const problems = await problemsOf(
    withStore({ environment: { AUDIT_STORE: "mysql:x" } }, async () => t.fail()),
  );
  t.match(problems, [/^AUDIT_STORE: /]);
});
