import { spawnSync } from "node:child_process";
import { readdirSync, renameSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { append } from "../../../src/audit/sqlite/append.ts";
import { SqliteFile } from "../../../src/audit/sqlite/file.ts";
import { Trail } from "../rows.ts";
import { backUp, count, countIn, fresh, opened } from "./files.ts";

t.test("who reads a file that nobody writes leaves nothing behind", async (t) => {
  const { folder, path, file, store } = fresh(t);
  store();
  file.close();
  t.strictSame(readdirSync(folder), ["audit.db"]);
  const reader = opened(t, path, true);
  t.equal(count(reader), 1);
  t.strictSame(readdirSync(folder), ["audit.db"]);
  reader.close();
  t.strictSame(readdirSync(folder), ["audit.db"]);
});

t.test("who reads sees it when writing begins, also in the middle of reading", async (t) => {
  const { path, file } = fresh(t);
  file.close();
  const reader = opened(t, path, true);
  t.equal(count(reader), 0);
  const trail = new Trail("b.1");
  const seen: unknown[] = [];
  const counted = reader.use("read", (connection) => {
    const before = countIn(connection);
    if (seen.length === 0) {
      const writer = opened(t, path);
      writer.use("append", (connection) => append(connection, [trail.next()], undefined));
    }
    seen.push(before);
    return countIn(connection);
  });
  t.strictSame(seen, [0, 1], "it was read once more");
  t.equal(counted, 1);
});

t.test("what fails while writing begins and ends is tried again too", async (t) => {
  const { path, file } = fresh(t);
  file.close();
  const reader = opened(t, path, true);
  let times = 0;
  const counted = reader.use("read", (connection) => {
    times += 1;
    if (times > 1) return countIn(connection);
    const writer = SqliteFile.open(path, "own");
    writer.use("append", (connection) => append(connection, [new Trail("b.1").next()], undefined));
    writer.close();
    throw new Error("as if half of a change had been read");
  });
  t.equal(counted, 1);
  t.equal(times, 2);
});

t.test("who reads a file that is replaced waits until its writer has seen it", async (t) => {
  const { folder, path, file, store } = fresh(t);
  store();
  backUp(path, join(folder, "copy"));
  store();
  const reader = opened(t, path, true);
  t.equal(count(reader), 2);
  renameSync(path, join(folder, "away"));
  renameSync(join(folder, "copy"), path);
  const waiting = { permanent: false, message: /was replaced, its WAL file is still the old one/ };
  t.throws(() => count(reader), waiting);
  t.throws(() => count(reader), waiting);
  t.equal(count(file), 1);
  t.equal(count(reader), 1);
});

t.test("a store is read in a folder that cannot be written", async (t) => {
  const { folder, path, file, store } = fresh(t);
  store();
  file.close();
  const reader = `
    import { SqliteFile } from ${JSON.stringify(new URL("../../../src/audit/sqlite/file.ts", import.meta.url))};
    const file = SqliteFile.open(${JSON.stringify(path)}, "read");
    file.use("read", (connection) => console.log(JSON.stringify(connection.first("SELECT count(*) AS n FROM audit_record"))));
  `;
  const root = process.getuid?.() === 0;
  t.teardown(() => spawnSync("chmod", ["u+w", folder]));
  spawnSync("chmod", ["a-w", folder]);
  spawnSync("chmod", ["a+r", path]);
  const { stdout, stderr } = spawnSync(process.execPath, ["--input-type=module", "-e", reader], {
    encoding: "utf8",
    // To whom nothing is forbidden nothing would be shown.
    ...(root && { uid: 65534, gid: 65534 }),
  });
  t.same(stdout.trim(), '{"n":1}', stderr);
});
