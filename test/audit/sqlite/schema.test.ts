import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import t from "tap";
import { append } from "../../../src/audit/sqlite/append.ts";
import { SqliteConnection } from "../../../src/audit/sqlite/connection.ts";
import { applicationId, type Preparation, prepareSchema } from "../../../src/audit/sqlite/schema.ts";
import { Trail } from "../rows.ts";
import type { Scope } from "../store-contract-place.ts";
import { makeOldStore } from "./old-store.ts";

/** Opens and prepares the file at the path. */
function prepared(t: Pick<Scope, "teardown">, path: string, preparation: Preparation): SqliteConnection {
  const connection = new SqliteConnection(path, { readOnly: preparation === "none" });
  t.teardown(() => connection.close());
  prepareSchema(connection, path, preparation);
  return connection;
}

/** A store file with three rows, one of them with a logid. */
function filled(t: Scope): SqliteConnection {
  const connection = prepared(t, join(t.testdir(), "audit.db"), "create");
  const trail = new Trail("a.1");
  const attempt = trail.attempt("r1");
  append(connection, [attempt, trail.outcome(attempt), trail.next()], undefined);
  return connection;
}

t.test("an empty file becomes a store, durable with every commit", async (t) => {
  const path = join(t.testdir({ "audit.db": "" }), "audit.db");
  const connection = prepared(t, path, "create");
  t.same(connection.first("PRAGMA application_id"), { application_id: applicationId });
  t.same(connection.first("PRAGMA journal_mode"), { journal_mode: "wal" });
  t.same(connection.first("PRAGMA synchronous"), { synchronous: 2 });
  t.same(connection.all("SELECT * FROM audit_record"), []);
  t.equal(Buffer.from(readFileSync(path).subarray(68, 72)).toString(), "Coze", "as file(1) could tell");
});

t.test("a store that is up to date is not written to", async (t) => {
  const path = join(t.testdir(), "audit.db");
  const first = new SqliteConnection(path);
  prepareSchema(first, path, "create");
  first.close();
  const content = readFileSync(path);
  for (const preparation of ["create", "migrate", "join", "none"] as const) {
    const connection = new SqliteConnection(path);
    prepareSchema(connection, path, preparation);
    connection.close();
    t.ok(readFileSync(path).equals(content), preparation);
  }
});

t.test("an older version is brought up to date by who writes, and refused by who reads", async (t) => {
  const path = join(t.testdir(), "audit.db");
  const old = new DatabaseSync(path);
  old.exec(`PRAGMA application_id = ${applicationId}`);
  old.close();
  t.throws(() => prepared(t, path, "none"), {
    permanent: true,
    message: /an older version .* made the file/,
  });
  prepared(t, path, "migrate");
  t.same(prepared(t, path, "none").all("SELECT * FROM audit_record"), []);
});

t.test("who writes beside its owner takes a file as it is, durable with every commit", async (t) => {
  const path = join(t.testdir(), "audit.db");
  makeOldStore(path, []);
  const content = readFileSync(path);
  t.throws(() => prepared(t, path, "join"), {
    permanent: true,
    message: /an older version .* made the file; start this one to update it/,
  });
  t.ok(readFileSync(path).equals(content));
  prepared(t, path, "migrate");
  const connection = prepared(t, path, "join");
  t.same(connection.first("PRAGMA synchronous"), { synchronous: 2 });
  t.same(connection.first("PRAGMA journal_mode"), { journal_mode: "wal" });
  append(connection, new Trail("a.1").rows(1), undefined);
});

t.test("a newer version is refused and stays as it is", async (t) => {
  const path = join(t.testdir(), "audit.db");
  const newer = new DatabaseSync(path);
  newer.exec(`PRAGMA application_id = ${applicationId}; PRAGMA user_version = 99; CREATE TABLE t (c)`);
  newer.close();
  const content = readFileSync(path);
  const refusal = { name: "StoreError", permanent: true, message: /a newer version .* made the file/ };
  for (const preparation of ["create", "migrate", "join", "none"] as const)
    t.throws(() => prepared(t, path, preparation), refusal);
  t.ok(readFileSync(path).equals(content));
});

t.test("what is not ours is refused and stays as it is", async (t) => {
  const folder = t.testdir({ empty: "" });
  const foreign = new DatabaseSync(join(folder, "foreign"));
  foreign.exec("CREATE TABLE t (c)");
  foreign.close();
  const blank = new DatabaseSync(join(folder, "blank"));
  blank.exec("CREATE TABLE t (c); DROP TABLE t");
  blank.close();
  const refusal = { name: "StoreError", permanent: true, message: /the file is not an audit store/ };
  const cases: readonly (readonly [string, readonly Preparation[]])[] = [
    ["foreign", ["create", "migrate", "join", "none"]],
    ["blank", ["create", "migrate", "join", "none"]],
    ["empty", ["migrate", "join", "none"]],
  ];
  for (const [name, preparations] of cases) {
    const path = join(folder, name);
    const content = readFileSync(path);
    for (const preparation of preparations)
      t.throws(() => prepared(t, path, preparation), refusal, `${name} ${preparation}`);
    t.ok(readFileSync(path).equals(content), name);
  }
  writeFileSync(
    join(folder, "text"),
    "this is no database, but it is long enough to be looked at".repeat(20),
  );
  t.throws(() => prepared(t, join(folder, "text"), "create"), { message: "file is not a database" });
});

t.test("records are not changed", async (t) => {
  const connection = filled(t);
  for (const sql of [
    "UPDATE audit_record SET text = '{}' WHERE seq = 2",
    "UPDATE audit_record SET hash = hash",
    "UPDATE audit_logid SET logid = 'other'",
    "INSERT INTO audit_record SELECT * FROM audit_record WHERE true ON CONFLICT DO UPDATE SET text = '{}'",
  ])
    t.throws(() => connection.exec(sql), { message: "audit records are never changed" }, sql);
});

t.test("records are deleted with a listed month only", async (t) => {
  const connection = filled(t);
  const count = (table: string) => connection.first<{ n: number }>(`SELECT count(*) AS n FROM ${table}`)?.n;
  const refusal = { message: "audit records are deleted by retention only" };
  connection.exec("INSERT INTO audit_pruning VALUES ('2027-02')");
  t.throws(() => connection.exec("DELETE FROM audit_record"), refusal);
  t.throws(() => connection.exec("DELETE FROM audit_record WHERE seq = 3"), refusal);
  t.throws(() => connection.exec("DELETE FROM audit_logid"), refusal);
  t.equal(count("audit_record"), 3);
  t.equal(count("audit_logid"), 1);
  connection.exec("INSERT INTO audit_pruning VALUES ('2027-03')");
  connection.exec("DELETE FROM audit_record");
  t.equal(count("audit_record"), 0);
  t.equal(count("audit_logid"), 0, "with what belongs to them");
});

t.test("a position is never given again", async (t) => {
  const connection = filled(t);
  connection.exec("INSERT INTO audit_pruning VALUES ('2027-03'); DELETE FROM audit_record");
  append(connection, new Trail("b.1").rows(1), undefined);
  t.same(connection.all("SELECT position FROM audit_record"), [{ position: 4 }]);
});
