import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import t from "tap";
import { isDamage, sqliteCodeOf, sqliteCodes, storeErrorOf } from "../../../src/audit/sqlite/error.ts";
import { StoreError } from "../../../src/audit/store.ts";

/** What was thrown. */
function thrownBy(run: () => unknown): unknown {
  try {
    run();
  } catch (error) {
    return error;
  }
  throw new Error("nothing was thrown");
}

const describe = (error: unknown) => storeErrorOf(error, "/data/audit.db", "append");

t.test("what SQLite refuses is told in its words, and may be tried again", async (t) => {
  const error = thrownBy(() =>
    new DatabaseSync(":memory:").exec("CREATE TABLE t (c NOT NULL); INSERT INTO t VALUES (NULL)"),
  );
  t.equal(sqliteCodeOf(error), 19, "the primary code only");
  t.equal(isDamage(error), false);
  const told = describe(error);
  t.equal(
    told.message,
    "audit store /data/audit.db: could not append: NOT NULL constraint failed: t.c (SQLite code 1299)",
  );
  t.equal(told.permanent, false);
  t.equal(told.cause, error);
});

t.test("a file that is no database is permanent trouble", async (t) => {
  const path = join(t.testdir({ file: "x".repeat(1000) }), "file");
  const error = thrownBy(() => new DatabaseSync(path).exec("SELECT * FROM sqlite_schema"));
  t.equal(sqliteCodeOf(error), sqliteCodes.notADatabase);
  t.equal(isDamage(error), true);
  t.match(describe(error), {
    permanent: true,
    message: /could not append: the file is damaged or no database: /,
  });
});

t.test("a damaged database is permanent trouble", async (t) => {
  const path = join(t.testdir(), "file");
  const database = new DatabaseSync(path);
  database.exec("CREATE TABLE t (c); INSERT INTO t VALUES (1)");
  database.close();
  writeFileSync(path, Buffer.alloc(4096, "x"), { flag: "r+", flush: true });
  const file = new DatabaseSync(path);
  t.teardown(() => file.close());
  const error = thrownBy(() => file.exec("SELECT * FROM t"));
  t.equal(isDamage(error), true);
  t.equal(describe(error).permanent, true);
});

t.test("what the file system refuses is told too", async (t) => {
  const path = join(t.testdir({ file: "" }), "file", "folder");
  const error = thrownBy(() => mkdirSync(path));
  t.equal(sqliteCodeOf(error), undefined);
  t.equal(isDamage(error), false);
  t.match(describe(error), { permanent: false, message: /could not append: ENOTDIR/ });
});

t.test("a StoreError says it already", async (t) => {
  const error = new StoreError("gone");
  t.equal(describe(error), error);
});
