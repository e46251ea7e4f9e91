import t from "tap";
import { StoreConnection } from "../../src/audit/connection.ts";
import { openSqliteStore } from "../../src/audit/sqlite/store.ts";
import type { AuditStore } from "../../src/audit/store.ts";

/** A connection to a real store whose opening fails as often as told, and what was done with it. */
function connect(t: { testdir(): string }, failures = 0) {
  const path = `${t.testdir()}/audit.db`;
  const did = { opened: 0, closed: 0 };
  const gate = Promise.withResolvers<void>();
  const connection = new StoreConnection(async (): Promise<AuditStore> => {
    did.opened += 1;
    await gate.promise;
    if (did.opened <= failures) throw new Error("no such host");
    const store = await openSqliteStore(path, { stream: "s" });
    const close = async () => {
      did.closed += 1;
      await store.close();
    };
    return Object.assign(Object.create(store), { close });
  });
  return { connection, did, gate };
}

t.test("it is opened when it is first asked for, and once", async (t) => {
  const { connection, did, gate } = connect(t);
  t.equal(did.opened, 0);
  gate.resolve();
  const [one, two] = await Promise.all([connection.get(), connection.get()]);
  t.equal(one, two);
  t.equal(await connection.get(), one);
  t.equal(did.opened, 1);
  await connection.close();
  t.equal(did.closed, 1);
});

t.test("after a failed opening the next call tries again", async (t) => {
  const { connection, did, gate } = connect(t, 1);
  const both = [connection.get(), connection.get()];
  gate.resolve();
  for (const each of both) await t.rejects(each, { message: "no such host" });
  t.equal(did.opened, 1);
  await connection.get();
  t.equal(did.opened, 2);
  await connection.close();
  t.equal(did.closed, 1);
});

t.test("closing what was never opened, or could not be, does nothing", async (t) => {
  const { connection, did, gate } = connect(t, 1);
  await connection.close();
  const opening = connection.get();
  const closing = connection.close();
  gate.resolve();
  await t.rejects(opening);
  await closing;
  await connection.close();
  t.strictSame(did, { opened: 1, closed: 0 });
});

t.test("closing during the opening closes what was opened", async (t) => {
  const { connection, did, gate } = connect(t);
  void connection.get();
  const closing = connection.close();
  gate.resolve();
  await closing;
  t.strictSame(did, { opened: 1, closed: 1 });
});
