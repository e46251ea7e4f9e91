import { randomUUID } from "node:crypto";
import { copyFile, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import t, { type Test } from "tap";
import type { AuditRecord, Link } from "../../src/audit/record.ts";
import { SqliteEngine } from "../../src/audit/sqlite/engine.ts";
import { unpack } from "../../src/audit/sqlite/row.ts";
import { openSqliteStore } from "../../src/audit/sqlite/store.ts";
import { StoreError } from "../../src/audit/store.ts";
import { verify } from "../../src/audit/verify/verify.ts";
import { Attacker } from "./attacker.ts";
import { type Edit, edits } from "./edits.ts";
import { anchorsOf, healthyStore } from "./healthy.ts";
import { Random, seed } from "./random.ts";

const count = 2_000;
const flips = 500;

const healthy = await healthyStore(join(t.testdir({}), "healthy.db"));

/** A healthy store that somebody has in their hands, and what verify says of it. */
async function target(t: Test, { repeats = false } = {}) {
  const path = `${healthy.path}.${randomUUID()}`;
  await copyFile(healthy.path, path);
  const attacker = new Attacker(path);
  if (repeats) attacker.allowRepeats();
  attacker.remember();
  const store = await openSqliteStore(path, {});
  t.teardown(async () => {
    attacker.close();
    await store.close();
  });
  const check = (anchors: "anchors" | "alone") =>
    verify(store, { anchors: anchors === "anchors" ? anchorsOf(healthy.rows) : undefined });
  const faults = async (anchors: "anchors" | "alone") =>
    (await check(anchors)).faults.map(({ kind, count, first }) => `${kind} ${count} ${first.id}`);
  return { attacker, check, faults };
}

t.test(`${count} random edits, each found (SEED=${seed})`, async (t) => {
  const random = new Random(seed);
  const strict = await target(t);
  const loose = await target(t, { repeats: true });
  const missed: unknown[] = [];
  for (let turn = 0; turn < count; turn++) {
    const edit = edits[turn % edits.length] as Edit;
    const { attacker, faults } = edit.needsRepeats ? loose : strict;
    edit.make(attacker, random);
    const found = await faults(edit.needsAnchors ? "anchors" : "alone");
    if (!found.some((fault) => fault.startsWith(`${edit.found} `)))
      missed.push({ turn, edit: edit.name, found });
    attacker.restore();
  }
  t.strictSame(missed, []);
  for (const { faults } of [strict, loose]) {
    t.strictSame(
      await faults("anchors"),
      [],
      "what was undone leaves no trace: so the edits were what was found",
    );
  }
});

t.test("a row whose hash was made anew no longer fits the one after it", async (t) => {
  const { attacker, faults } = await target(t);
  attacker.rewrite("d.4", 4, 4, () => ({ caller: "mallory" }));
  t.strictSame(await faults("alone"), ["unlinked 1 d.4:5"]);
});

t.test("a chain that was made anew up to its end is found by the anchors only", async (t) => {
  const { attacker, faults } = await target(t);
  attacker.rewrite("d.4", 4, 18, () => ({ caller: "mallory" }));
  t.strictSame(await faults("alone"), []);
  t.strictSame(await faults("anchors"), ["rewritten 15 d.4:4"]);
});

t.test("a later process knows the end of a chain that was made anew", async (t) => {
  const { attacker, faults } = await target(t);
  const last = attacker.rewrite("b.2", 2, 28, () => ({ caller: "mallory" }));
  t.strictSame(await faults("alone"), ["rewritten 1 b.2:28"]);
  // Whoever goes on to make the later streams fit as well is found by the anchors.
  const follow = (link: Link) => (record: AuditRecord) => (record.follows ? { follows: link } : {});
  const lastOfC = attacker.rewrite("c.3", 1, 16, follow(last));
  attacker.rewrite("d.4", 1, 18, follow(lastOfC));
  t.strictSame(await faults("alone"), []);
  t.strictSame(await faults("anchors"), ["rewritten 61 b.2:2"]);
});

t.test("one label, or one logid of the side table", async (t) => {
  const { attacker, faults } = await target(t);
  attacker.run(1, "UPDATE audit_record SET caller = 'mallory' WHERE stream = 'c.3' AND seq = 3");
  t.strictSame(await faults("alone"), ["mislabeled 1 c.3:3"]);
  attacker.restore();
  attacker.run(1, "UPDATE audit_logid SET logid = 'log-c' WHERE logid = 'log-b'");
  t.strictSame(await faults("alone"), ["mislabeled 1 c.3:15"]);
});

t.test("a forged row between two others", async (t) => {
  const { attacker, faults } = await target(t, { repeats: true });
  attacker.forge("d.4", 4, () => ({ caller: "mallory" }));
  t.strictSame(await faults("alone"), ["out_of_order 1 d.4:5"]);
});

t.test("a whole stream that is gone is missed by the process that came after it", async (t) => {
  const { attacker, faults } = await target(t);
  attacker.run(undefined, "DELETE FROM audit_record WHERE stream = 'b.2'");
  t.strictSame(await faults("alone"), ["cut 2 b.2:28"]);
  attacker.restore();
  attacker.run(undefined, "DELETE FROM audit_record WHERE stream = 'd.4'");
  t.strictSame(await faults("alone"), [], "nobody came after d.4");
  t.strictSame(await faults("anchors"), ["cut 18 d.4:1"]);
});

/** A pruning that never was: it claims these months, and that the stream lost its records up to `last`. */
const pruning = (months: readonly string[], last: Link) => () => ({
  kind: "pruned",
  pruned_segments: months,
  pruned_records: last.seq,
  checkpoints: [last],
});

t.test("a forged pruning does not excuse what it could not have removed", async (t) => {
  const { attacker, faults } = await target(t);
  const last = attacker.linkAt("b.2", 10);
  attacker.run(10, "DELETE FROM audit_record WHERE stream = 'b.2' AND seq <= 10");
  attacker.forge("d.4", 18, pruning(["2027-02"], last));
  t.strictSame(await faults("alone"), ["missing 1 b.2:1"], "b.2:11 is of that month");
  attacker.rewrite("d.4", 19, 19, pruning(["2027-01"], last));
  t.strictSame(await faults("alone"), [], "b.2:11 is of a later month");
  t.strictSame(await faults("anchors"), ["missing 10 b.2:1"], "the log knows that b.2:1 is too");
});

t.test("a forged pruning that fits is one that no anchor names", async (t) => {
  const { attacker, check } = await target(t);
  const last = attacker.linkAt("b.2", 21);
  attacker.run(21, "DELETE FROM audit_record WHERE stream = 'b.2' AND seq <= 21");
  attacker.forge("d.4", 18, pruning(["2027-02"], last));
  const { faults, prunings } = await check("anchors");
  t.strictSame(faults, []);
  t.strictSame(prunings, [
    { id: "d.4:19", months: ["2027-02"], anchored: false },
    { id: "c.3:13", months: ["2027-01"], anchored: true },
  ]);
});

t.test("a pruning in the middle of a stream, made of another record", async (t) => {
  const { attacker, faults } = await target(t);
  const last = attacker.linkAt("b.2", 21);
  attacker.run(21, "DELETE FROM audit_record WHERE stream = 'b.2' AND seq <= 21");
  attacker.rewrite("d.4", 10, 10, pruning(["2027-02"], last));
  t.strictSame(await faults("alone"), ["unlinked 1 d.4:11"]);
});

/** All rows of a file as they read back, and what verify says; the error when the file cannot be opened. */
async function examine(path: string) {
  try {
    // Without the thread, whose start would take most of the time.
    const engine = SqliteEngine.read(path);
    try {
      const { faults } = await verify({
        chain: async (after, limit) => engine.chain(after, limit).map(unpack),
        find: async (filter, page) => engine.find(filter, page).map(unpack),
        unfinished: async (stream, settledTo) => engine.unfinished(stream, settledTo).map(unpack),
        damage: async () => engine.damage(),
      });
      return { faults, rows: faults.length === 0 ? engine.chain(undefined, 1_000) : [] };
    } finally {
      engine.close();
    }
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    return { faults: [error.message], rows: [] };
  }
}

t.test(`${flips} flipped bytes of the file: found, or not in a row (SEED=${seed})`, async (t) => {
  const random = new Random(seed);
  const { faults, rows } = await examine(healthy.path);
  t.strictSame(faults, []);
  t.ok(rows.length > 80);
  const bytes = await readFile(healthy.path);
  const path = `${healthy.path}.flipped`;
  let found = 0;
  for (let turn = 0; turn < flips; turn++) {
    const at = random.below(bytes.length);
    const flipped = Buffer.from(bytes);
    flipped[at] = flipped.readUInt8(at) ^ (1 + random.below(255));
    await writeFile(path, flipped);
    const result = await examine(path);
    if (result.faults.length === 0) t.strictSame(result.rows, rows, `byte ${at} of ${bytes.length}`);
    else found += 1;
  }
  t.ok(found > flips / 10, `${found} of ${flips} were found, the others were in free space`);
});
