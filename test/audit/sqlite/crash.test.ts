import { execFileSync } from "node:child_process";
import { rmSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { openSqliteStore } from "../../../src/audit/sqlite/store.ts";
import type { StoredRow } from "../../../src/audit/store.ts";
import { linkOf, Trail } from "../rows.ts";
import { startChild } from "./process.ts";

const oldest = { order: "oldest_first", limit: 100_000 } as const;

/** Checks that the rows are whole batches of a chain up to at least what was said to be stored. */
function checkChain(
  t: Pick<typeof import("tap").t, "same" | "ok" | "equal">,
  rows: readonly StoredRow[],
  said: string,
) {
  const trail = new Trail("child");
  t.same(
    rows.map(linkOf),
    rows.map(() => linkOf(trail.next())),
  );
  t.equal(rows.length % 5, 0);
  t.ok(rows.length >= Number(said.replace("stored ", "")), `${rows.length} rows, ${said}`);
}

t.test("a process that is killed loses nothing that it was told is stored", async (t) => {
  const path = join(t.testdir(), "audit.db");
  for (const pattern of [/^stored 5$/, /^stored \d{2}$/, /^stored \d{3}$/]) {
    const child = startChild(t, ["write", path]);
    await child.says(pattern);
    await t.rejects(openSqliteStore(path, { stream: "heir" }), {
      permanent: true,
      message: /another process writes this store/,
    });
    await child.kill();
    const said = child.lines().findLast((line) => line.startsWith("stored"));
    const heir = await openSqliteStore(path, { stream: "heir" });
    checkChain(t, await heir.chain(undefined, 100_000), said ?? "");
    t.strictSame(await heir.damage(), []);
    await heir.close();
    for (const suffix of ["", "-owner"]) rmSync(`${path}${suffix}`);
  }
});

t.test("a disk that is full for a while: refused, told, and good again", async (t) => {
  const path = join(t.testdir(), "audit.db");
  const child = startChild(t, ["write", path], "-f 600");
  t.match(await child.says(/failed/), /failed StoreError: audit store .*audit\.db: could not append: /);
  const before = child.lines().findLast((line) => line.startsWith("stored")) ?? "";
  const reader = await openSqliteStore(path, {});
  t.teardown(() => reader.close());
  checkChain(t, await reader.find({}, oldest), before);
  execFileSync("prlimit", ["--pid", String(child.child.pid), "--fsize=unlimited"]);
  await child.says(new RegExp(`^stored ${Number(before.replace("stored ", "")) + 500}$`));
  child.child.stdin.end();
  await child.says(/^closed$/);
  const after = child.lines().findLast((line) => line.startsWith("stored")) ?? "";
  checkChain(t, await reader.find({}, oldest), after);
  t.strictSame(await reader.damage(), []);
});

t.test("a process that is killed leaves an owner for each create that is stored, and no other", async (t) => {
  for (const pattern of [/^stored 5$/, /^stored \d{2}$/, /^stored \d{3}$/]) {
    const path = join(t.testdir(), "audit.db");
    const child = startChild(t, ["create", path]);
    await child.says(pattern);
    await child.kill();
    const heir = await openSqliteStore(path, { stream: "heir" });
    const rows = await heir.find({}, oldest);
    const owners = await heir.owners({ limit: 100_000 });
    t.strictSame(
      owners.map(({ seq, api_app_id }) => `${seq} ${api_app_id}`).sort(),
      rows.map(({ seq, api_app_id }) => `${seq} ${api_app_id}`).sort(),
    );
    t.ok(rows.length > 0);
    t.strictSame(await heir.damage(), []);
    await heir.close();
  }
});
