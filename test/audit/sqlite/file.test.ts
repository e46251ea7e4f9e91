import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { append } from "../../../src/audit/sqlite/append.ts";
import { SqliteConnection } from "../../../src/audit/sqlite/connection.ts";
import { Trail } from "../rows.ts";
import { backUp, count, countIn, fresh, opened } from "./files.ts";

const gone = { name: "StoreError", permanent: false, message: /audit\.db: the file is gone/ };

t.test("a file that is deleted is not written any more, and none is created in its place", async (t) => {
  const { folder, path, file, store } = fresh(t);
  store();
  rmSync(path);
  t.throws(store, gone);
  t.throws(() => count(file), gone);
  t.notOk(readdirSync(folder).includes("audit.db"));
});

t.test("a file that is moved away and put back goes on", async (t) => {
  const { folder, path, file, store } = fresh(t);
  store();
  renameSync(path, join(folder, "away"));
  t.throws(() => count(file), gone);
  renameSync(join(folder, "away"), path);
  t.equal(count(file), 1);
  store();
  t.equal(count(file), 2);
});

t.test("another file at the path is used from then on, and the old one is left whole", async (t) => {
  const { folder, path, file, store } = fresh(t);
  store();
  const copy = join(folder, "copy");
  backUp(path, copy);
  store();
  store();
  const away = join(folder, "away");
  renameSync(path, away);
  renameSync(copy, path);
  t.equal(count(file), 1, "what the restored copy holds, and nothing of the old WAL file");
  t.equal(count(opened(t, away, true)), 3, "though its WAL file was left behind");
  renameSync(path, copy);
  renameSync(away, path);
  t.equal(count(file), 3, "the first one is back");
  store();
  t.equal(count(file), 4);
  t.same(
    file.use("check", (connection) => connection.all("PRAGMA integrity_check")),
    [{ integrity_check: "ok" }],
  );
});

t.test("another file is used rightly while another process still has the old one open", async (t) => {
  const { folder, path, file, store } = fresh(t);
  store();
  backUp(path, join(folder, "copy"));
  for (let rows = 0; rows < 100; rows++) store();
  const reader = `
    const { DatabaseSync } = require("node:sqlite");
    const database = new DatabaseSync(process.argv[1], { readOnly: true });
    console.log(database.prepare("SELECT count(*) AS n FROM audit_record").get().n);
    setInterval(() => {}, 1000);
  `;
  const child = spawn(process.execPath, ["-e", reader, path]);
  t.teardown(() => child.kill("SIGKILL"));
  t.equal(String((await once(child.stdout, "data"))[0]), "101\n");
  renameSync(path, join(folder, "away"));
  renameSync(join(folder, "copy"), path);
  t.equal(count(file), 1);
  file.use("append", (connection) => append(connection, new Trail("b.1").rows(1), undefined));
  child.kill("SIGKILL");
  await once(child, "close");
  file.close();
  const pages = opened(t, path, true).use("read", (connection) =>
    connection.first<{ page_count: number }>("PRAGMA page_count"),
  );
  t.equal(statSync(path).size, (pages?.page_count ?? 0) * 4096, "it did not take the size of the old one");
});

t.test("a file that is replaced together with its WAL file is used with it", async (t) => {
  const { folder, path, file, store } = fresh(t);
  store();
  mkdirSync(join(folder, "other"));
  const other = fresh(t, join(folder, "other"));
  for (let rows = 0; rows < 5; rows++) other.store();
  for (const suffix of ["", "-wal", "-shm"]) renameSync(`${other.path}${suffix}`, `${path}${suffix}`);
  t.equal(count(file), 5);
});

t.test("an old file that is still read is let go when the reading is over", async (t) => {
  const { folder, path, file, store } = fresh(t);
  store();
  backUp(path, join(folder, "copy"));
  const reader = new SqliteConnection(path, { readOnly: true });
  t.teardown(() => reader.close());
  reader.exec("BEGIN");
  countIn(reader);
  store();
  renameSync(path, join(folder, "away"));
  renameSync(join(folder, "copy"), path);
  t.throws(() => count(file), { permanent: false, message: /was replaced, and the old one is still read/ });
  reader.exec("COMMIT");
  t.equal(count(file), 1);
  t.equal(count(opened(t, join(folder, "away"), true)), 2);
});

t.test("a WAL file that is deleted loses nothing", async (t) => {
  const { path, file, store } = fresh(t);
  store();
  store();
  rmSync(`${path}-wal`);
  store();
  t.equal(count(file), 3);
  t.equal(count(opened(t, path, true)), 3, "who opens the file now finds all");
});

t.test("a file that is no store is refused, not filled, until the right one is back", async (t) => {
  const { folder, path, file, store } = fresh(t);
  store();
  renameSync(path, join(folder, "away"));
  writeFileSync(path, "");
  t.throws(store, { permanent: true, message: /the file is not an audit store/ });
  writeFileSync(path, "no database, and long enough to be looked at".repeat(40));
  t.throws(store, { permanent: true, message: /could not append: the file is damaged or no database/ });
  rmSync(path);
  t.throws(() => count(file), gone);
  renameSync(join(folder, "away"), path);
  t.equal(count(file), 1);
});

t.test("opening says what is wrong", async (t) => {
  const folder = t.testdir({ text: "no database, and long enough to be looked at".repeat(40) });
  t.throws(() => opened(t, join(folder, "text")), {
    name: "StoreError",
    permanent: true,
    message: /text: could not open the file: the file is damaged or no database/,
  });
  t.throws(() => opened(t, folder), {
    name: "StoreError",
    permanent: false,
    message: /could not open the file/,
  });
});

t.test("a failure of SQLite is told with the task, and is over when its cause is", async (t) => {
  const { path, file, store } = fresh(t);
  const other = new SqliteConnection(path);
  t.teardown(() => other.close());
  other.exec("BEGIN EXCLUSIVE");
  t.throws(store, {
    name: "StoreError",
    permanent: false,
    message: `audit store ${path}: could not append: database is locked (SQLite code 5)`,
  });
  other.exec("COMMIT");
  t.equal(count(file), 0);
});

t.test("a path may have any character", async (t) => {
  const path = join(t.testdir(), "a b?immutable=1#%41ö.db");
  const file = opened(t, path);
  t.equal(count(file), 0);
  file.close();
  t.equal(count(opened(t, path, true)), 0);
});

t.test("what is closed stays closed", async (t) => {
  const { file, store } = fresh(t);
  file.close();
  t.throws(store, { name: "StoreError", permanent: true, message: /audit\.db: it is closed/ });
  file.close();
});

t.test("who writes beside the owner leaves its files as they are", async (t) => {
  const { path, file, store } = fresh(t);
  store();
  const before = [path, `${path}-wal`].map((each) => statSync(each).ino);
  for (let turn = 1; turn <= 20; turn++) {
    const beside = opened(t, path, "beside");
    const trail = new Trail(`b.${turn}`);
    beside.use("append", (connection) => append(connection, trail.rows(2), undefined));
    store();
    beside.close();
    t.equal(count(file), 1 + 3 * turn);
  }
  t.strictSame(
    [path, `${path}-wal`].map((each) => statSync(each).ino),
    before,
  );
  const last = opened(t, path, "beside");
  file.close();
  t.ok(existsSync(`${path}-wal`), "the owner was not the last one");
  t.equal(count(last), 61);
  last.close();
  t.notOk(existsSync(`${path}-wal`), "who is the last one tidies up");
  t.equal(count(opened(t, path, true)), 61);
});

t.test("who writes beside the owner goes on with a file that came in place of the other", async (t) => {
  const { folder, path, store } = fresh(t);
  store();
  const beside = opened(t, path, "beside");
  t.equal(count(beside), 1);
  mkdirSync(join(folder, "other"));
  const other = fresh(t, join(folder, "other"));
  for (let rows = 0; rows < 5; rows++) other.store();
  other.file.close();
  renameSync(other.path, path);
  const old = { permanent: false, message: /the file was replaced, its WAL file is still the old one/ };
  t.throws(() => count(beside), old, "it is for the owner to clear that up");
  rmSync(`${path}-wal`);
  rmSync(`${path}-shm`);
  t.equal(count(beside), 5);
});
