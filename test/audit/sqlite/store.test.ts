import { renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { openSqliteStore } from "../../../src/audit/sqlite/store.ts";
import type { AuditStore, StoreOptions } from "../../../src/audit/store.ts";
import { Trail } from "../rows.ts";
import { storeContract } from "../store-contract.ts";
import type { Scope } from "../store-contract-place.ts";

storeContract("sqlite", {
  place: (t) => {
    const path = join(t.testdir(), "data", "audit.db");
    return (options) => openSqliteStore(path, options);
  },
});

/** Opens a store; it is closed at the end of the test. */
async function opened(
  t: Pick<Scope, "teardown">,
  path: string,
  options: StoreOptions = {},
): Promise<AuditStore> {
  const store = await openSqliteStore(path, options);
  t.teardown(() => store.close());
  return store;
}

const oldest = { order: "oldest_first", limit: 100_000 } as const;

t.test("the thread that reads starts when the file is there", async (t) => {
  const folder = t.testdir();
  const path = join(folder, "audit.db");
  const store = await opened(t, path, { stream: "a.1" });
  const rows = new Trail("a.1").rows(2);
  await store.append(rows, undefined);
  renameSync(path, join(folder, "away"));
  await t.rejects(store.find({}, oldest), { name: "StoreError", message: /there is no such file/ });
  await t.rejects(store.append(rows, undefined), { permanent: false, message: /the file is gone/ });
  renameSync(join(folder, "away"), path);
  t.equal((await store.find({}, oldest)).length, 2);
  await store.append(rows, undefined);
  t.equal(await store.remove(["2027-03"]), 2);
});

t.test("closing does not wait for a reader that cannot start", async (t) => {
  const path = join(t.testdir(), "audit.db");
  const store = await openSqliteStore(path, { stream: "a.1" });
  rmSync(path);
  const refused = t.rejects(store.find({}, oldest), { message: /there is no such file/ });
  await store.close();
  await refused;
  await t.rejects(store.find({}, oldest), { permanent: true, message: /it is closed/ });
  await t.rejects(store.append([], undefined), { permanent: true, message: /it is closed/ });
});

t.test("who only reads is refused every change", async (t) => {
  const path = join(t.testdir(), "audit.db");
  await (await openSqliteStore(path, { stream: "a.1" })).close();
  const reader = await opened(t, path);
  const refusal = { name: "StoreError", permanent: true, message: /it was opened for reading only/ };
  await t.rejects(reader.append([], undefined), refusal);
  await t.rejects(reader.remove([]), refusal);
});
