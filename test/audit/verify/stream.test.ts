import t from "tap";
import type { Row, StoredRow } from "../../../src/audit/store.ts";
import { StreamCheck } from "../../../src/audit/verify/stream.ts";
import { around, resealed, stored } from "../listed.ts";
import { linkOf, Trail } from "../rows.ts";

/** A stream of six rows, three in each of two months. */
function months(): Row[] {
  const trail = new Trail("a.1");
  return [
    ...trail.rows(3, { time: Date.parse("2027-01-31T00:00:00Z") }),
    ...trail.rows(3, { time: Date.parse("2027-02-01T00:00:00Z") }),
  ];
}

/** The record of a pruning, in a stream of its own. */
function pruning(last: Row, month: string): StoredRow {
  const checkpoints = [linkOf(last)];
  const row = new Trail("p.1").next({ kind: "pruned", pruned_segments: [month], checkpoints });
  return { ...row, position: 99 };
}

/** What is found when these rows are all that is left of a stream, beside others. */
async function walked(rows: readonly StoredRow[], ...others: readonly StoredRow[]) {
  const surroundings = around([...rows, ...others]);
  const check = new StreamCheck("a.1", surroundings);
  for (const row of rows) await check.take(row);
  const faults = surroundings.findings.list();
  return {
    check,
    told: faults.map(({ kind, count, first }) => `${kind} ${count} ${first.id}: ${first.what}`),
  };
}

const rows = stored(months());
const at = (...indexes: readonly number[]) => indexes.map((index) => rows[index] as StoredRow);

t.test("a whole stream", async (t) => {
  t.strictSame((await walked(rows)).told, []);
});

t.test("only what has to look elsewhere is waited for", async (t) => {
  const surroundings = around(rows);
  const check = new StreamCheck("a.1", surroundings);
  for (const row of rows) t.equal(check.take(row), undefined);
  t.strictSame(surroundings.asked, { chain: 0, find: 0, unfinished: 0 });
});

t.test("holes: one fault each, and the rows after them are not blamed", async (t) => {
  t.strictSame((await walked(at(0, 2, 4, 5))).told, ["missing 2 a.1:2: it is not there"]);
  t.strictSame((await walked(at(0, 4, 5))).told, ["missing 1 a.1:2: it and all up to 4 are not there"]);
  t.strictSame((await walked(at(2, 3, 4, 5))).told, ["missing 1 a.1:1: it and all up to 2 are not there"]);
});

t.test("after a hole the chain goes on to be checked", async (t) => {
  const [first, third, fourth] = at(0, 2, 3) as [StoredRow, StoredRow, StoredRow];
  const { told } = await walked([first, third, resealed(fourth, { prev_hash: first.hash })]);
  t.match(told, [/^missing 1 a\.1:2/, /^unlinked 1 a\.1:4/]);
});

t.test("a beginning that retention removed", async (t) => {
  const [, , third, fourth] = rows as [StoredRow, StoredRow, StoredRow, StoredRow];
  t.strictSame((await walked(at(3, 4, 5), pruning(third, "2027-01"))).told, []);
  const unlinked = "unlinked 1 a.1:4: its prev_hash is not the hash of the record before it";
  const forged = { ...third, hash: fourth.hash };
  t.strictSame((await walked(at(3, 4, 5), pruning(forged, "2027-01"))).told, [unlinked]);
  const missing = ["missing 1 a.1:1: it and all up to 3 are not there"];
  t.strictSame(
    (await walked(at(3, 4, 5), pruning(third, "2027-02"))).told,
    missing,
    "all of that month would be gone",
  );
  t.strictSame((await walked(at(4, 5), pruning(third, "2027-01"))).told, [
    "missing 1 a.1:1: it and all up to 4 are not there",
  ]);
});

t.test("a pruning under way: what it has not removed yet stands around holes", async (t) => {
  const [, , third] = rows as [StoredRow, StoredRow, StoredRow];
  const pruned = pruning(third, "2027-01");
  t.strictSame((await walked(at(0, 1, 2, 3, 4, 5), pruned)).told, [], "it has not begun");
  t.strictSame((await walked(at(2, 3, 4, 5), pruned)).told, [], "half of it is gone");
  t.strictSame((await walked(at(0, 2, 3, 4, 5), pruned)).told, [], "in whatever order");
  t.strictSame(
    (await walked(at(0, 1, 3, 4, 5), pruned)).told,
    [],
    "a row went after the one before was read",
  );
});

t.test("a pruning explains no hole between months that it left alone", async (t) => {
  const fifth = rows[4] as StoredRow;
  const { told } = await walked(at(0, 1, 2, 3, 5), pruning(fifth, "2027-01"));
  t.strictSame(told, ["missing 1 a.1:5: it is not there"]);
});

t.test("a link that does not fit", async (t) => {
  const trail = new Trail("a.1");
  trail.next({ time: 7 });
  const [, other] = stored([trail.next(), trail.next()]) as [StoredRow, StoredRow];
  const { told } = await walked([...at(0, 1), { ...other, position: 3 }]);
  t.strictSame(told, ["unlinked 1 a.1:3: its prev_hash is not the hash of the record before it"]);
  const second = stored([new Trail("a.1").next({ time: 7 })]) as [StoredRow];
  t.match((await walked([...second, ...at(1, 2)])).told, [/^unlinked 1 a\.1:2/]);
});

t.test("a first record that follows another one", async (t) => {
  const [first] = rows as [StoredRow];
  t.match((await walked([resealed(first, { prev_hash: first.hash })])).told, [/^unlinked 1 a\.1:1/]);
});

t.test("a row that cannot be believed is one fault, the next one none", async (t) => {
  const [first, second, third] = at(0, 1, 2) as [StoredRow, StoredRow, StoredRow];
  t.match((await walked([first, { ...second, hash: third.hash }, third])).told, [/^altered 1 a\.1:2/]);
  t.match((await walked([first, { ...second, text: third.text, hash: third.hash }, third])).told, [
    /^mislabeled 1 a\.1:2/,
  ]);
});

t.test("a number that was there already", async (t) => {
  const [first, second, third] = at(0, 1, 2) as [StoredRow, StoredRow, StoredRow];
  const copy = { ...second, position: 98 };
  const what = "its stream has that number already";
  t.strictSame((await walked([first, second, copy, third])).told, [`out_of_order 1 a.1:2: ${what}`]);
  const forged = resealed(second, { caller: "mallory" });
  const later = { ...second, position: 2.5 };
  t.strictSame((await walked([first, forged, later, third])).told, [`out_of_order 1 a.1:2: ${what}`]);
  const zero = { ...first, seq: 0, position: 0 };
  t.match((await walked([zero, first, second])).told, [/^mislabeled 1 a\.1:0/, /^out_of_order 1 a\.1:0/]);
});

t.test("a position that does not grow", async (t) => {
  const [first, second, third] = at(0, 1, 2) as [StoredRow, StoredRow, StoredRow];
  const what = "its position is not above 3, that of the record before it";
  t.strictSame((await walked([first, { ...second, position: 3 }, { ...third, position: 2 }])).told, [
    `out_of_order 1 a.1:3: ${what}`,
  ]);
  t.match((await walked([first, { ...second, position: 3 }, third])).told, [/^out_of_order 1 a\.1:3/]);
});

t.test("references of the records that have them are followed", async (t) => {
  const trail = new Trail("a.1");
  const opened = trail.next({ kind: "opened", follows: { stream: "b.1", seq: 1, hash: "f".repeat(64) } });
  const closed = trail.next({ kind: "closed", closes: { stream: "c.1", seq: 2 }, outcome: "unknown" });
  const { told } = await walked(stored([opened, closed]));
  t.match(told, [/^cut 2 b\.1:1: a\.1:1 names it/]);
});

t.test("how the stream ends", async (t) => {
  const trail = new Trail("a.1");
  const [alive, stopped] = stored([trail.next(), trail.next({ kind: "stopped" })]) as [StoredRow, StoredRow];
  t.match((await walked([alive])).check, { stopped: false, settledTo: 0 });
  t.match((await walked([alive, stopped])).check, { stopped: true, settledTo: 0 });
  const settled = resealed(stopped, { settled_to: 1 });
  t.match((await walked([alive, settled])).check, { stopped: true, settledTo: 1 });
  for (const settledTo of [1.5, "1", undefined]) {
    const forged = resealed(stopped, { settled_to: settledTo });
    t.match((await walked([alive, forged])).check, { settledTo: 0 });
  }
  t.match((await walked([alive, { ...settled, hash: alive.hash }])).check, { settledTo: 0 });
});
