import { join } from "node:path";
import t from "tap";
import { SqliteConnection } from "../../../src/audit/sqlite/connection.ts";

/** A connection to a new file with a table `t (c)`, and the path. */
function opened(t: Pick<typeof import("tap").t, "testdir" | "teardown">) {
  const path = join(t.testdir(), "file.db");
  const connection = new SqliteConnection(path);
  t.teardown(() => connection.close());
  connection.exec("CREATE TABLE t (c INTEGER)");
  return { path, connection };
}

const select = "SELECT c FROM t ORDER BY c";

t.test("rows come with names or as lists, the first one alone, and statements are kept", async (t) => {
  const { connection } = opened(t);
  t.equal(connection.first(select), undefined);
  connection.exec("INSERT INTO t VALUES (1), (2), (3)");
  t.same(connection.all(select), [{ c: 1 }, { c: 2 }, { c: 3 }]);
  t.same(connection.first("SELECT c FROM t WHERE c > ?", 1), { c: 2 });
  t.same(connection.lists("SELECT c, c + 1 FROM t WHERE c > ?", 1), [
    [2, 3],
    [3, 4],
  ]);
  t.equal(connection.statement(select), connection.statement(select));
  t.not(connection.statement(select), connection.statement("SELECT 1"));
});

t.test("a transaction is kept as a whole, and gives what it computed", async (t) => {
  const { connection } = opened(t);
  const insert = (value: number) => connection.statement("INSERT INTO t VALUES (?)").run(value);
  t.equal(
    connection.transaction("IMMEDIATE", () => {
      insert(1);
      insert(2);
      return "both";
    }),
    "both",
  );
  t.throws(
    () =>
      connection.transaction("IMMEDIATE", () => {
        insert(3);
        throw new Error("no");
      }),
    /^no$/,
  );
  t.same(connection.all(select), [{ c: 1 }, { c: 2 }]);
});

t.test("a COMMIT that fails is rolled back, and the next transaction works", async (t) => {
  const { connection } = opened(t);
  connection.exec("CREATE TABLE p (id INTEGER PRIMARY KEY)");
  connection.exec("CREATE TABLE f (p REFERENCES p DEFERRABLE INITIALLY DEFERRED)");
  t.throws(() => connection.transaction("IMMEDIATE", () => connection.exec("INSERT INTO f VALUES (7)")), {
    message: "FOREIGN KEY constraint failed",
  });
  t.same(connection.all("SELECT * FROM f"), []);
  connection.transaction("IMMEDIATE", () => connection.exec("INSERT INTO t VALUES (1)"));
  t.same(connection.all(select), [{ c: 1 }]);
});

t.test("a deferred transaction reads from one state", async (t) => {
  const { path, connection } = opened(t);
  connection.exec("PRAGMA journal_mode = WAL");
  const other = new SqliteConnection(path);
  t.teardown(() => other.close());
  const counts = connection.transaction("DEFERRED", () => {
    const before = connection.all(select).length;
    other.exec("INSERT INTO t VALUES (1)");
    return [before, connection.all(select).length];
  });
  t.strictSame(counts, [0, 0]);
  t.equal(connection.all(select).length, 1);
});

t.test("a lock of somebody else is waited for, and then reported", async (t) => {
  const { path, connection } = opened(t);
  const other = new SqliteConnection(path, { timeoutMs: 1 });
  t.teardown(() => other.close());
  connection.exec("BEGIN EXCLUSIVE");
  t.throws(() => other.exec("BEGIN IMMEDIATE"), { message: "database is locked" });
  connection.exec("COMMIT");
  other.transaction("IMMEDIATE", () => other.exec("INSERT INTO t VALUES (1)"));
  t.same(connection.all(select), [{ c: 1 }]);
});

t.test("a connection for reading changes nothing", async (t) => {
  const { path } = opened(t);
  const reader = new SqliteConnection(path, { readOnly: true });
  t.teardown(() => reader.close());
  t.same(reader.all(select), []);
  t.throws(() => reader.exec("INSERT INTO t VALUES (1)"), {
    message: "attempt to write a readonly database",
  });
});
