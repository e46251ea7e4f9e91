import { execFileSync } from "node:child_process";
import { appendFileSync, readFileSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { append } from "../../../src/audit/sqlite/append.ts";
import { SqliteConnection } from "../../../src/audit/sqlite/connection.ts";
import { prepareSchema } from "../../../src/audit/sqlite/schema.ts";
import { unfinishedBytes } from "../../../src/audit/sqlite/wal.ts";
import { Trail } from "../rows.ts";
import type { Scope } from "../store-contract-place.ts";

const headerBytes = 32;
const frameBytes = 24 + 4096;

/** A store that is open, and its files as they would be found if the machine stopped now. */
function writer(t: Scope) {
  const folder = t.testdir();
  const path = join(folder, "audit.db");
  const connection = new SqliteConnection(path);
  t.teardown(() => connection.close());
  prepareSchema(connection, path, "create");
  const trail = new Trail("a.1");
  const store = (rows: number) => {
    const { head } = trail;
    append(connection, trail.rows(rows), head);
  };
  // By a process of its own: to open and close the files in this one would drop its locks.
  const crash = (name: string) => {
    const copy = join(folder, name);
    execFileSync("cp", [path, copy]);
    execFileSync("cp", [`${path}-wal`, `${copy}-wal`]);
    return { copy, wal: `${copy}-wal` };
  };
  return { connection, wal: `${path}-wal`, store, crash };
}

/** The rows that SQLite finds when it opens the files. */
function rowsIn(path: string): number {
  const connection = new SqliteConnection(path);
  const { rows } = connection.first<{ rows: number }>("SELECT count(*) AS rows FROM audit_record") ?? {
    rows: -1,
  };
  connection.close();
  return rows;
}

/** Changes one byte of a file. */
function flip(path: string, offset: number): void {
  const content = readFileSync(path);
  content.writeUInt8(content.readUInt8(offset) ^ 1, offset);
  writeFileSync(path, content);
}

t.test("nothing to repair: no file, an empty one, a healthy one", async (t) => {
  const { wal, store, crash } = writer(t);
  t.equal(unfinishedBytes(`${wal}.none`), 0);
  t.equal(statSync(wal).size, 0);
  t.equal(unfinishedBytes(wal), 0);
  store(3);
  store(50);
  const { copy, wal: found } = crash("healthy.db");
  t.ok(statSync(found).size > 5 * frameBytes);
  t.equal(unfinishedBytes(found), 0);
  t.equal(rowsIn(copy), 53);
});

t.test("cut off anywhere: what follows the last whole transaction is counted", async (t) => {
  const { wal, store, crash } = writer(t);
  const ends: number[] = [0, headerBytes];
  for (const rows of [1, 30, 2]) {
    store(rows);
    ends.push(statSync(wal).size);
  }
  const rowsAt = [0, 0, 1, 31, 33];
  const [, , first = 0, second = 0, third = 0] = ends;
  t.ok(first < second && second + frameBytes < third);
  const cuts = [1, 31, 32, 33, 55, 56, 57, headerBytes + frameBytes, first - 1, first, first + 1, first + 23];
  cuts.push(
    first + 24,
    first + frameBytes,
    second - 4000,
    second - 1,
    second,
    second + 2000,
    third - 1,
    third,
  );
  for (const cut of cuts) {
    const { copy, wal: found } = crash(`cut-${cut}.db`);
    truncateSync(found, cut);
    const whole = ends.findLastIndex((end) => end <= cut);
    t.equal(unfinishedBytes(found), cut - (ends[whole] ?? 0), `after ${cut} bytes`);
    t.equal(rowsIn(copy), rowsAt[whole], `SQLite finds as much after ${cut} bytes`);
  }
});

t.test("a flipped byte: from its transaction on all is lost, and counted", async (t) => {
  const { wal, store, crash } = writer(t);
  store(1);
  const first = statSync(wal).size;
  store(30);
  const second = statSync(wal).size;
  store(2);
  const third = statSync(wal).size;
  const cases = [
    [third - 1, second, 31, "in the last page"],
    [third - frameBytes, second, 31, "in the number of the last page"],
    [third - frameBytes + 7, second, 31, "in what says that the last transaction is whole"],
    [third - frameBytes + 20, second, 31, "in the last checksum"],
    [second - frameBytes - 1, first, 1, "in the middle of the transaction before"],
    [headerBytes + 100, headerBytes, 0, "in the first frame"],
    [4, headerBytes, 0, "in the header"],
    [1, headerBytes, 0, "in the first word"],
    [10, 0, 0, "in the page size"],
  ] as const;
  for (const [offset, end, rows, where] of cases) {
    const { copy, wal: found } = crash(`flip-${offset}.db`);
    flip(found, offset);
    t.equal(unfinishedBytes(found), third - end, where);
    t.equal(rowsIn(copy), rows, `SQLite finds as much with one ${where}`);
  }
});

t.test("what is left of an earlier generation does not count", async (t) => {
  const { connection, wal, store, crash } = writer(t);
  store(60);
  const size = statSync(wal).size;
  connection.exec("PRAGMA wal_checkpoint(RESTART)");
  t.equal(unfinishedBytes(crash("checkpointed.db").wal), 0);
  store(1);
  const { copy, wal: found } = crash("restarted.db");
  t.equal(statSync(found).size, size, "it still has the old end");
  t.equal(unfinishedBytes(found), 0);
  t.equal(rowsIn(copy), 61);
  const torn = crash("torn.db");
  flip(torn.wal, headerBytes + frameBytes - 1);
  const frames = (size - headerBytes) / frameBytes;
  const lost = unfinishedBytes(torn.wal) / frameBytes;
  t.ok(Number.isInteger(lost) && lost > 0 && lost < frames, `${lost} of ${frames} frames`);
  t.equal(rowsIn(torn.copy), 60);
});

t.test("a tail that is not even a frame's header counts", async (t) => {
  const { store, crash } = writer(t);
  store(1);
  const { wal } = crash("tail.db");
  appendFileSync(wal, "x".repeat(10));
  t.equal(unfinishedBytes(wal), 10);
});

/** Computes the checksums of a WAL file anew, with words that have their high byte first. */
function toHighFirst(path: string): void {
  const content = readFileSync(path);
  content.writeUInt32BE(0x377f0683, 0);
  let sums = [0, 0];
  const add = (bytes: Buffer) => {
    let [one = 0, two = 0] = sums;
    for (let at = 0; at < bytes.length; at += 8) {
      one = (one + bytes.readUInt32BE(at) + two) % 2 ** 32;
      two = (two + bytes.readUInt32BE(at + 4) + one) % 2 ** 32;
    }
    sums = [one, two];
  };
  const put = (at: number) => {
    for (const [index, sum] of sums.entries()) content.writeUInt32BE(sum, at + index * 4);
  };
  add(content.subarray(0, 24));
  put(24);
  for (let at = headerBytes; at < content.length; at += frameBytes) {
    add(content.subarray(at, at + 8));
    add(content.subarray(at + 24, at + frameBytes));
    put(at + 16);
  }
  writeFileSync(path, content);
}

t.test("checksums of a machine with the high byte first", async (t) => {
  const { store, crash } = writer(t);
  store(1);
  store(30);
  const { copy, wal } = crash("high.db");
  toHighFirst(wal);
  t.equal(unfinishedBytes(wal), 0);
  const torn = crash("torn.db");
  toHighFirst(torn.wal);
  truncateSync(torn.wal, statSync(torn.wal).size - 1);
  t.ok(unfinishedBytes(torn.wal) > frameBytes);
  t.equal(rowsIn(copy), 31, "SQLite reads it too");
  t.equal(rowsIn(torn.copy), 1);
});
