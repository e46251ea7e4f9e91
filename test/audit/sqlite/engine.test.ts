import { spawnSync } from "node:child_process";
import { readFileSync, rmSync, statSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import t from "tap";
import { SqliteEngine } from "../../../src/audit/sqlite/engine.ts";
import { ownStore } from "../../../src/audit/sqlite/owner.ts";
import { unpack } from "../../../src/audit/sqlite/row.ts";
import { Trail } from "../rows.ts";
import type { Scope } from "../store-contract-place.ts";

/** Opens a store to write it; it is closed at the end of the test. */
function writing(t: Pick<Scope, "teardown">, path: string): SqliteEngine {
  const engine = SqliteEngine.write(path);
  t.teardown(() => engine.close());
  return engine;
}

/** Opens a store to read it; it is closed at the end of the test. */
function reading(t: Pick<Scope, "teardown">, path: string): SqliteEngine {
  const engine = SqliteEngine.read(path);
  t.teardown(() => engine.close());
  return engine;
}

const oldest = { order: "oldest_first", limit: 10_000 } as const;
const seqs = (engine: SqliteEngine) => engine.find({}, oldest).map((row) => unpack(row).seq);

t.test("a store is created with its folder, for this user alone", async (t) => {
  const folder = join(t.testdir(), "data");
  const path = join(folder, "audit.db");
  const engine = writing(t, path);
  engine.append(new Trail("a.1").rows(1), undefined);
  t.equal(statSync(folder).mode & 0o777, 0o700);
  for (const suffix of ["", "-wal", "-shm", "-owner"])
    t.equal(statSync(`${path}${suffix}`).mode & 0o777, 0o600, suffix);
});

t.test("every question is answered by writer and reader", async (t) => {
  const path = join(t.testdir(), "audit.db");
  const writer = writing(t, path);
  const reader = reading(t, path);
  const trail = new Trail("a.1");
  writer.append([trail.next(), trail.attempt("r1")], undefined);
  for (const engine of [writer, reader]) {
    t.equal(engine.repairedBytes, 0);
    t.strictSame(seqs(engine), [1, 2]);
    t.equal(engine.chain(undefined, 10).length, 2);
    t.equal(engine.heads().length, 1);
    t.equal(engine.unfinished("a.1", 0).length, 1);
    t.match(engine.prunable("2027-04"), { segments: ["2027-03"], records: 2 });
    t.strictSame(engine.damage(), []);
  }
});

t.test("what is not there is not read, and not made by trying", async (t) => {
  const path = join(t.testdir(), "none", "audit.db");
  const missing = {
    name: "StoreError",
    permanent: true,
    message: `audit store ${path}: there is no such file`,
  };
  t.throws(() => SqliteEngine.read(path), missing);
  t.throws(() => SqliteEngine.read(path), missing);
});

t.test("a store that cannot be created says why", async (t) => {
  const folder = t.testdir({ file: "" });
  t.throws(() => SqliteEngine.write(join(folder, "file", "audit.db")), {
    name: "StoreError",
    permanent: false,
    message: /audit\.db: could not create the file: EEXIST/,
  });
});

t.test("a store that is refused is let go", async (t) => {
  const path = join(t.testdir(), "audit.db");
  writeFileSync(path, "no database, and long enough to be looked at".repeat(40));
  const damaged = { name: "StoreError", permanent: true, message: /damaged or no database/ };
  t.throws(() => SqliteEngine.write(path), damaged);
  t.throws(() => SqliteEngine.write(path), damaged, "and not: another process writes it");
  t.throws(() => SqliteEngine.read(path), damaged);
});

t.test("there is one writer, by whatever name it calls the store", async (t) => {
  const folder = t.testdir();
  const engine = SqliteEngine.write(join(folder, "audit.db"));
  symlinkSync(folder, join(folder, "link"));
  symlinkSync("audit.db", join(folder, "other.db"));
  const refusal = { permanent: true, message: /another process writes this store/ };
  t.throws(() => SqliteEngine.write(join(folder, "link", "audit.db")), refusal);
  t.throws(() => SqliteEngine.write(join(folder, "other.db")), refusal);
  engine.append(new Trail("a.1").rows(1), undefined);
  t.strictSame(seqs(reading(t, join(folder, "link", "other.db"))), [1]);
  engine.close();
  t.strictSame(seqs(writing(t, join(folder, "other.db"))), [1]);
});

t.test("an unfinished write is counted once, and what was whole is there", async (t) => {
  const path = join(t.testdir(), "audit.db");
  const first = SqliteEngine.write(path);
  const trail = new Trail("a.1");
  first.append(trail.rows(1), undefined);
  const whole = statSync(`${path}-wal`).size;
  const { head } = trail;
  first.append(trail.rows(40), head);
  for (const suffix of ["", "-wal"]) spawnSync("cp", [`${path}${suffix}`, `${path}.copy${suffix}`]);
  first.close();
  truncateSync(`${path}.copy-wal`, whole + 5000);
  t.equal(reading(t, `${path}.copy`).repairedBytes, 0, "who reads repairs nothing");
  const second = SqliteEngine.write(`${path}.copy`);
  t.equal(second.repairedBytes, 5000);
  t.strictSame(seqs(second), [1]);
  for (const suffix of ["", "-wal"]) spawnSync("cp", [`${path}.copy${suffix}`, `${path}.again${suffix}`]);
  second.close();
  const third = writing(t, `${path}.again`);
  t.equal(third.repairedBytes, 0, "also when the next process was killed before it wrote");
  t.strictSame(seqs(third), [1]);
});

t.test("appends are not held up by a removal", async (t) => {
  const engine = writing(t, join(t.testdir(), "audit.db"));
  const trail = new Trail("a.1");
  engine.append(trail.rows(700, { time: Date.parse("2027-01-15T00:00:00.000Z") }), undefined);
  let removed: number | undefined;
  const removing = engine.remove(["2027-01"]).then((count) => {
    removed = count;
  });
  const left: number[] = [];
  while (removed === undefined) {
    const { head } = trail;
    engine.append(trail.rows(1), head);
    left.push(engine.find({ to: Date.parse("2027-02-01T00:00:00.000Z") }, oldest).length);
    await setImmediate();
  }
  await removing;
  t.equal(removed, 700);
  t.ok(left.length >= 3, `in between: ${left}`);
  t.equal(left[0], 500, "the first one after one step");
  t.equal(seqs(engine).length, left.length);
});

t.test("a removal that is cut off is finished by the next one, whatever that is asked for", async (t) => {
  const path = join(t.testdir(), "audit.db");
  const engine = SqliteEngine.write(path);
  engine.append(new Trail("a.1").rows(500, { time: Date.parse("2027-01-15T00:00:00.000Z") }), undefined);
  const removing = engine.remove(["2027-01"]);
  engine.close();
  await t.rejects(removing, { name: "StoreError", message: /it is closed/ });
  const next = writing(t, path);
  t.equal(seqs(next).length, 300);
  t.equal(await next.remove([]), 300);
  t.equal(await next.remove(["2027-01"]), 0);
});

/** A store of some hundred rows that nobody has open. */
function closedStore(t: Scope): string {
  const path = join(t.testdir(), "audit.db");
  const engine = SqliteEngine.write(path);
  engine.append(new Trail("a.1").rows(500), undefined);
  engine.close();
  return path;
}

t.test("damage is found, and told by whoever meets it", async (t) => {
  const path = closedStore(t);
  const content = readFileSync(path);
  const pages = content.length / 4096;
  content.fill("damage", 4096 * Math.floor(pages / 2), 4096 * Math.floor((pages * 3) / 4));
  writeFileSync(path, content);
  for (const engine of [reading(t, path), writing(t, path)]) {
    const lines = engine.damage();
    t.ok(lines.length > 0 && lines.length <= 20);
    t.notMatch(lines, ["ok"]);
    const damaged = { name: "StoreError", permanent: true, message: /could not read: the file is damaged/ };
    t.throws(() => engine.find({}, oldest), damaged);
    t.throws(() => engine.chain(undefined, 10_000), damaged);
  }
});

t.test("a file that is no database any more is damage", async (t) => {
  const path = closedStore(t);
  const engine = reading(t, path);
  const content = readFileSync(path);
  writeFileSync(path, content.fill("x", 0, 4096));
  t.throws(() => engine.damage(), { permanent: true, message: /damaged or no database/ });
});

t.test("a store that is gone cannot be checked", async (t) => {
  const path = closedStore(t);
  const engine = reading(t, path);
  rmSync(path);
  t.throws(() => engine.damage(), { permanent: false, message: /the file is gone/ });
});

t.test("a command writes beside the writer, and as the writer when there is none", async (t) => {
  const path = join(t.testdir(), "audit.db");
  t.throws(() => SqliteEngine.writeBeside(path), { permanent: true, absent: true, message: /no such file/ });
  const writer = SqliteEngine.write(path);
  t.equal(writer.owned, true);
  const first = SqliteEngine.writeBeside(path);
  const second = SqliteEngine.writeBeside(path);
  t.strictSame([first.owned, second.owned, reading(t, path).owned], [false, false, false]);
  for (const [at, engine] of [first, writer, second].entries())
    engine.append([new Trail(`${at}.1`).created(`${at}`, "billing")], undefined);
  t.strictSame(
    writer.find({}, oldest).map((row) => unpack(row).stream),
    ["0.1", "1.1", "2.1"],
  );
  t.strictSame(second.ownersOf(["0", "1", "2", "3"]).length, 3);
  t.equal(first.owners({ limit: 2 }).length, 2);
  for (const engine of [first, second, writer]) engine.close();
  const alone = SqliteEngine.writeBeside(path);
  t.teardown(() => alone.close());
  t.equal(alone.owned, true);
  t.throws(() => SqliteEngine.write(path), { message: /another process writes this store/ });
});

t.test("a command repairs what a crash left, but never what another process is writing", async (t) => {
  const path = join(t.testdir(), "audit.db");
  const writer = writing(t, path);
  const trail = new Trail("a.1");
  writer.append(trail.rows(1), undefined);
  const whole = statSync(`${path}-wal`).size;
  const { head } = trail;
  writer.append(trail.rows(40), head);
  for (const suffix of ["", "-wal"]) spawnSync("cp", [`${path}${suffix}`, `${path}.copy${suffix}`]);
  truncateSync(`${path}.copy-wal`, whole + 5000);
  spawnSync("cp", ["-r", `${path}.copy`, `${path}.held`]);
  spawnSync("cp", ["-r", `${path}.copy-wal`, `${path}.held-wal`]);
  const alone = SqliteEngine.writeBeside(`${path}.copy`);
  t.equal(alone.repairedBytes, 5000);
  alone.close();
  const owner = ownStore(`${path}.held`);
  const beside = SqliteEngine.writeBeside(`${path}.held`);
  t.equal(beside.repairedBytes, 0);
  t.strictSame(seqs(beside), [1]);
  beside.close();
  owner.close();
});
