import { join } from "node:path";
import t from "tap";
import { append } from "../../../src/audit/sqlite/append.ts";
import { SqliteConnection } from "../../../src/audit/sqlite/connection.ts";
import { prepareSchema } from "../../../src/audit/sqlite/schema.ts";
import type { Row } from "../../../src/audit/store.ts";
import { linkOf, Trail } from "../rows.ts";
import type { Scope } from "../store-contract-place.ts";

/** A new store, and what is in its two tables. */
function opened(t: Scope) {
  const path = join(t.testdir(), "audit.db");
  const connection = new SqliteConnection(path);
  t.teardown(() => connection.close());
  prepareSchema(connection, path, "create");
  const seqs = () =>
    connection.all<{ seq: number }>("SELECT seq FROM audit_record ORDER BY position").map(({ seq }) => seq);
  const logids = () => connection.lists("SELECT position, logid FROM audit_logid ORDER BY position, logid");
  return { path, connection, seqs, logids };
}

const attempts = [
  { attempt: 1, class: "fault", logid: "b", ms: 1 },
  { attempt: 2, class: "fault", logid: "a", ms: 1 },
];

t.test("a repeat stores nothing twice, logids neither", async (t) => {
  const { connection, seqs, logids } = opened(t);
  const rows = new Trail("a.1").rows(2, { attempts });
  append(connection, rows.slice(0, 1), undefined);
  append(connection, rows, undefined);
  append(connection, rows, undefined);
  t.strictSame(seqs(), [1, 2]);
  // SQLite gave position 2 to the repeat that was not stored.
  t.strictSame(logids(), [
    [1, "a"],
    [1, "b"],
    [3, "a"],
    [3, "b"],
  ]);
});

t.test("what is refused is refused as a whole, and told", async (t) => {
  const { connection, seqs, logids } = opened(t);
  const trail = new Trail("a.1");
  const first = trail.next();
  const second = trail.next({ attempts });
  append(connection, [first], undefined);
  const forged: Row = { ...first, hash: "f".repeat(64) };
  t.throws(() => append(connection, [{ ...second, seq: 3 }, forged], undefined), {
    name: "StoreError",
    permanent: true,
    message: "another record is stored as number 1 of a.1",
  });
  t.throws(() => append(connection, [trail.next({ attempts })], linkOf(second)), {
    name: "StoreError",
    permanent: true,
    message: "the store has lost records of this process: record 2 of a.1, which was stored, is not there",
  });
  t.throws(() => append(connection, [second], linkOf(forged)), { message: /^the store has lost records/ });
  t.strictSame(seqs(), [1]);
  t.strictSame(logids(), []);
  append(connection, [second], linkOf(first));
  t.strictSame(seqs(), [1, 2]);
});

t.test("no rows: only the one before is looked for", async (t) => {
  const { connection, seqs } = opened(t);
  const [row] = new Trail("a.1").rows(1) as [Row];
  append(connection, [], undefined);
  t.throws(() => append(connection, [], linkOf(row)), { message: /lost records/ });
  append(connection, [row], undefined);
  append(connection, [], linkOf(row));
  t.strictSame(seqs(), [1]);
});

t.test("a full disk: nothing is stored, and all is once there is room", async (t) => {
  const { connection, seqs, logids } = opened(t);
  const trail = new Trail("a.1");
  const pages = connection.first<{ page_count: number }>("PRAGMA page_count")?.page_count;
  connection.exec(`PRAGMA max_page_count = ${pages}`);
  const rows = trail.rows(100, { attempts });
  t.throws(() => append(connection, rows, undefined), { errcode: 13, message: "database or disk is full" });
  t.strictSame(seqs(), []);
  t.strictSame(logids(), []);
  connection.exec("PRAGMA max_page_count = 1000000");
  append(connection, rows, undefined);
  t.equal(seqs().length, 100);
  t.equal(logids().length, 200);
});

t.test("a write by somebody else is waited for, then refused, and all is well afterwards", async (t) => {
  const { path, connection, seqs } = opened(t);
  const other = new SqliteConnection(path);
  t.teardown(() => other.close());
  const rows = new Trail("a.1").rows(1);
  other.exec("BEGIN IMMEDIATE");
  t.throws(() => append(connection, rows, undefined), { errcode: 5, message: "database is locked" });
  other.exec("ROLLBACK");
  append(connection, rows, undefined);
  t.strictSame(seqs(), [1]);
});
