import { join } from "node:path";
import t from "tap";
import { append } from "../../../src/audit/sqlite/append.ts";
import { SqliteConnection } from "../../../src/audit/sqlite/connection.ts";
import { listForRemoval, prunable, removeSome } from "../../../src/audit/sqlite/prune.ts";
import { prepareSchema } from "../../../src/audit/sqlite/schema.ts";
import type { Row } from "../../../src/audit/store.ts";
import { linkOf, Trail } from "../rows.ts";
import type { Scope } from "../store-contract-place.ts";

const month = (name: string) => ({ time: Date.parse(`${name}-15T00:00:00.000Z`) });

/** A new store. */
function opened(t: Scope): SqliteConnection {
  const path = join(t.testdir(), "audit.db");
  const connection = new SqliteConnection(path);
  t.teardown(() => connection.close());
  prepareSchema(connection, path, "create");
  return connection;
}

/** The ids of the rows that are left, in the order of storing. */
function ids(connection: SqliteConnection): string[] {
  return connection
    .all<{ stream: string; seq: number }>("SELECT stream, seq FROM audit_record ORDER BY position")
    .map(({ stream, seq }) => `${stream}:${seq}`);
}

t.test("a large month goes in steps, the oldest rows first", async (t) => {
  const connection = opened(t);
  const trail = new Trail("a.1");
  append(connection, trail.rows(500, month("2027-01")), undefined);
  append(connection, trail.rows(1, month("2027-02")), undefined);
  append(connection, trail.rows(1, month("2027-03")), undefined);
  listForRemoval(connection, ["2027-02", "2027-01"]);
  t.equal(removeSome(connection), 200);
  t.equal(ids(connection)[0], "a.1:201");
  t.equal(removeSome(connection), 200);
  t.equal(removeSome(connection), 100);
  t.equal(removeSome(connection), 1);
  t.equal(removeSome(connection), undefined);
  t.strictSame(ids(connection), ["a.1:502"]);
  t.throws(() => connection.exec("DELETE FROM audit_record"), { message: /deleted by retention only/ });
});

t.test("a month of just one step's rows takes another look", async (t) => {
  const connection = opened(t);
  append(connection, new Trail("a.1").rows(200, month("2027-01")), undefined);
  listForRemoval(connection, ["2027-01", "2027-01"]);
  t.equal(removeSome(connection), 200);
  t.equal(removeSome(connection), 0);
  t.equal(removeSome(connection), undefined);
});

t.test("what an interrupted removal left is told, and goes with the next one", async (t) => {
  const connection = opened(t);
  const trail = new Trail("a.1");
  const rows = trail.rows(300, month("2027-01"));
  append(connection, rows, undefined);
  append(connection, trail.rows(1, month("2027-03")), undefined);
  listForRemoval(connection, ["2027-01"]);
  removeSome(connection);
  t.strictSame(prunable(connection, "2027-02"), {
    segments: ["2027-01"],
    records: 100,
    checkpoints: [linkOf(rows[299] as Row)],
  });
  listForRemoval(connection, []);
  t.equal(removeSome(connection), 100);
  t.equal(removeSome(connection), undefined);
  t.strictSame(ids(connection), ["a.1:301"]);
});

t.test("checkpoints come by stream, in the order of bytes, of those that lose records now", async (t) => {
  const connection = opened(t);
  const trails = ["b.1", "a.1", "B.1", "c.1"].map((name) => new Trail(name));
  for (const trail of trails) append(connection, trail.rows(2, month("2027-01")), undefined);
  listForRemoval(connection, ["2027-01"]);
  while (removeSome(connection) !== undefined);
  const [b, a, B, c] = trails as [Trail, Trail, Trail, Trail];
  append(connection, b.rows(1, month("2027-02")), undefined);
  append(connection, a.rows(1, month("2027-03")), undefined);
  append(connection, B.rows(2, month("2027-02")), undefined);
  append(connection, c.rows(1, month("2027-03")), undefined);
  append(connection, new Trail("d.1").rows(1, month("2027-03")), undefined);
  t.strictSame(prunable(connection, "2027-03"), {
    segments: ["2027-02"],
    records: 3,
    checkpoints: [B.head, b.head],
  });
});
