import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { ownStore, ownStoreIfFree } from "../../../src/audit/sqlite/owner.ts";
import { startChild } from "./process.ts";

const refusal = {
  name: "StoreError",
  permanent: true,
  message: /audit\.db: another process writes this store; .* use PostgreSQL for several/,
};

t.test("one owner at a time, also within a process", async (t) => {
  const folder = t.testdir();
  const path = join(folder, "audit.db");
  const owner = ownStore(path);
  t.strictSame(readdirSync(folder), ["audit.db-owner"], "nothing else is made");
  t.throws(() => ownStore(path), refusal);
  t.throws(() => ownStore(path), refusal, "having been refused takes nothing from the owner");
  owner.close();
  ownStore(path).close();
});

t.test("another process is kept out, and keeps out, until it is killed", async (t) => {
  const path = join(t.testdir(), "audit.db");
  const child = startChild(t, ["own", path, "600000"]);
  await child.says(/owned/);
  t.throws(() => ownStore(path), refusal);
  await child.kill();
  const owner = ownStore(path);
  t.teardown(() => owner.close());
  const other = startChild(t, ["own", path, "600000"]);
  await other.says(/another process writes this store/);
});

t.test("a process that is just ending is waited for", async (t) => {
  const path = join(t.testdir(), "audit.db");
  const child = startChild(t, ["own", path, "300"]);
  await child.says(/owned/);
  ownStore(path).close();
  t.pass("it came to own the store");
});

t.test("who can do without owns a store only if nobody does", async (t) => {
  const path = join(t.testdir(), "audit.db");
  const first = ownStoreIfFree(path);
  t.throws(() => ownStore(path), refusal);
  first?.close();
  const owner = ownStore(path);
  t.equal(ownStoreIfFree(path), undefined);
  owner.close();
  ownStoreIfFree(path)?.close();
  writeFileSync(`${path}-owner`, "no database, and long enough to be looked at".repeat(40));
  t.throws(() => ownStoreIfFree(path), { name: "StoreError", message: /could not be locked/ });
});

t.test("what is wrong with the file of the lock is told", async (t) => {
  const path = join(t.testdir(), "audit.db");
  writeFileSync(`${path}-owner`, "no database, and long enough to be looked at".repeat(40));
  t.throws(() => ownStore(path), {
    name: "StoreError",
    message: /audit\.db-owner: could not be locked: the file is damaged or no database/,
  });
});
