import t from "tap";
import type { Row, StoredRow } from "../../../src/audit/store.ts";
import { AnchorCheck } from "../../../src/audit/verify/anchors.ts";
import { anchorsOf } from "../healthy.ts";
import { around, resealed, stored } from "../listed.ts";
import { linkOf, Trail } from "../rows.ts";

/** What is found when the store holds some rows, and the log speaks of others. */
async function compared(rows: readonly StoredRow[], log: AsyncIterable<string> | readonly Row[]) {
  const surroundings = around(rows);
  const check = new AnchorCheck(surroundings);
  let batches = 0;
  await check.take(Symbol.asyncIterator in log ? log : anchorsOf(log), () => {
    batches += 1;
  });
  const faults = surroundings.findings.list();
  const told = faults.map(({ kind, count, first }) => `${kind} ${count} ${first.id}: ${first.what}`);
  return { check, told, batches, asked: surroundings.asked };
}

const rows = stored(["a.1", "b.1"].flatMap((stream) => new Trail(stream).rows(6)));
const at = (...indexes: readonly number[]) => indexes.map((index) => rows[index] as StoredRow);
const without = (...indexes: readonly number[]) => rows.filter((_, index) => !indexes.includes(index));

t.test("anchors that the store holds, in whatever order and however often", async (t) => {
  for (const log of [rows, rows.toReversed(), at(0, 6, 1, 7, 5, 11), at(3), [...rows, ...rows]]) {
    const { told, check } = await compared(rows, log);
    t.strictSame(told, []);
    t.equal(check.checked, log.length);
  }
  const { told, check } = await compared(rows, []);
  t.strictSame([told, check.checked, check.unreadableLines], [[], 0, 0]);
});

t.test("the store can hold more than the log", async (t) => {
  t.strictSame((await compared(rows, at(0, 5))).told, []);
});

t.test("lines that are no anchors do not matter, broken anchors are counted", async (t) => {
  async function* log() {
    yield "npm start";
    yield* anchorsOf(at(0));
    yield '{"event":"audit","stream":"a.1"';
    yield '{"event":"request"}';
  }
  const { told, check } = await compared(rows, log());
  t.strictSame([told, check.checked, check.unreadableLines], [[], 1, 1]);
});

t.test("another hash", async (t) => {
  const changed = rows.map((row) => (row.seq === 2 ? resealed(row, { caller: "mallory" }) : row));
  t.strictSame((await compared(changed, rows)).told, [
    "rewritten 2 a.1:2: the log knew it with another hash",
  ]);
  const [second] = at(1) as [StoredRow];
  const both = [second, resealed(second, { caller: "mallory" })];
  t.match(
    (await compared(rows, both)).told,
    [/^rewritten 1 a\.1:2/],
    "two anchors that contradict each other",
  );
});

t.test("an end that was cut", async (t) => {
  const cut = (count: number, id: string) => [
    `cut ${count} ${id}: the log names it, but its stream ends before it`,
  ];
  t.strictSame((await compared(without(5), rows)).told, cut(1, "a.1:6"));
  t.strictSame((await compared(without(4, 5, 10, 11), rows)).told, cut(4, "a.1:5"));
  t.strictSame((await compared(without(4, 5), at(5))).told, cut(1, "a.1:6"));
});

t.test("a stream that is gone", async (t) => {
  const cut = ["cut 6 a.1:1: the log names it, but its stream ends before it"];
  t.strictSame((await compared(rows.slice(6), rows)).told, cut);
  t.match((await compared([], rows)).told, [/^cut 12 a\.1:1/]);
});

t.test("a hole", async (t) => {
  t.strictSame((await compared(without(2, 3), rows)).told, [
    "missing 2 a.1:3: the log names it, but it is not there",
  ]);
  t.match((await compared(without(0), rows)).told, [/^missing 1 a\.1:1/]);
});

t.test("what retention removed", async (t) => {
  const trail = new Trail("a.1");
  const old = trail.rows(3, { time: Date.parse("2027-01-31T00:00:00Z") });
  const late = trail.rows(3, { time: Date.parse("2027-02-01T00:00:00Z") });
  const gone = new Trail("gone.1").rows(2, { time: Date.parse("2027-01-01T00:00:00Z") });
  const pruning = (...links: Row[]) =>
    new Trail("p.1").next({ kind: "pruned", pruned_segments: ["2027-01"], checkpoints: links.map(linkOf) });
  const log = [...old, ...late, ...gone];
  const pruned = pruning(old[2] as Row, gone[1] as Row);
  const { told, check } = await compared(stored([...late, pruned]), [...log, pruned]);
  t.strictSame(told, []);
  t.ok(check.knows("p.1:1"));
  const { check: other } = await compared(stored([...late, pruned]), log);
  t.notOk(other.knows("p.1:1"));
  t.notOk(other.knows("a.1:4"));
  // A stream that was forgotten by the newest pruning lost whole months all the same.
  t.strictSame((await compared(stored([...late, pruning(old[2] as Row)]), log)).told, []);
  // A pruning that found the beginning gone already does not make good for it.
  const forged = pruning(late[0] as Row);
  t.match((await compared(stored([...late.slice(1), forged]), log)).told, [/^missing 1 a\.1:4/]);
  t.match((await compared(stored([forged]), log)).told, [/^cut 3 a\.1:4/]);
});

t.test("anchors that are far apart are looked up one by one, near ones together", async (t) => {
  const many = stored(new Trail("a.1").rows(1_001));
  const asked = async (log: readonly Row[]) => (await compared(many, log)).asked.chain;
  t.equal(await asked(many.slice(0, 250)), 1);
  t.equal(await asked(many), 5);
  t.equal(await asked([many[0], many[200]] as Row[]), 1);
  t.equal(await asked([many[0], many[500], many[1_000]] as Row[]), 3);
  const [first] = many as [StoredRow];
  t.match((await compared(many, [{ ...first, seq: 5_000 }])).told, [/^cut 1 a\.1:5000/]);
  t.match((await compared(many, [{ ...first, seq: 1_050 }, ...many])).told, [/^cut 1 a\.1:1050/]);
});

t.test("batches: the lines of streams may alternate", async (t) => {
  const [a, b] = [stored(new Trail("a.1").rows(6_000)), stored(new Trail("b.1").rows(6_000))] as const;
  const log = a.flatMap((row, index) => [row, b[index] as StoredRow]);
  const { told, batches, check, asked } = await compared([...a, ...b.slice(0, -1)], log);
  t.match(told, [/^cut 1 b\.1:6000/]);
  t.equal(batches, 1);
  t.equal(check.checked, 12_000);
  t.ok(asked.chain < 60, `${asked.chain} times asked`);
});

t.test("a number that is there twice", async (t) => {
  const [second] = at(1) as [StoredRow];
  const copy = { ...second, position: 99 };
  t.strictSame((await compared([...rows, copy], rows)).told, []);
});
