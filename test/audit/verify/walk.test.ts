import t from "tap";
import type { StoredRow } from "../../../src/audit/store.ts";
import { newTally, walk } from "../../../src/audit/verify/walk.ts";
import { around, stored } from "../listed.ts";
import { Trail } from "../rows.ts";

/** What the walk through these rows counts and finds. */
async function walked(rows: readonly StoredRow[]) {
  const surroundings = around(rows);
  const tally = newTally();
  let pages = 0;
  await walk(surroundings, tally, () => {
    pages += 1;
  });
  return { tally, pages, faults: surroundings.findings.list() };
}

t.test("nothing", async (t) => {
  t.strictSame(await walked([]), { tally: newTally(), pages: 0, faults: [] });
});

t.test("streams, records, how they ended, and attempts without an outcome", async (t) => {
  const [a, b, c] = [new Trail("a.1"), new Trail("b.1"), new Trail("c.1")] as const;
  const lost = a.attempt("lost");
  const done = b.attempt("done");
  const rows = stored([
    ...[lost, a.next()],
    ...[
      done,
      b.outcome(done),
      b.next({ kind: "closed", closes: { stream: "a.1", seq: 1 } }),
      b.next({ kind: "stopped" }),
    ],
    ...[c.attempt("1"), c.attempt("2"), c.attempt("3"), c.attempt("4"), c.attempt("5"), c.attempt("6")],
  ]);
  t.strictSame(await walked(rows), {
    tally: {
      streams: 3,
      records: 12,
      last: "c.1:6",
      stopped: 1,
      unfinished: { count: 6, first: ["c.1:1", "c.1:2", "c.1:3", "c.1:4", "c.1:5"] },
    },
    pages: 1,
    faults: [],
  });
});

t.test("the first few attempts without an outcome, of all streams", async (t) => {
  const rows = ["a.1", "b.1", "c.1"].flatMap((stream) => {
    const trail = new Trail(stream);
    return [trail.attempt("1"), trail.attempt("2"), trail.attempt("3")];
  });
  const { unfinished } = (await walked(stored(rows))).tally;
  t.strictSame(unfinished, { count: 9, first: ["a.1:1", "a.1:2", "a.1:3", "b.1:1", "b.1:2"] });
});

t.test("a stream goes on from one page to the next", async (t) => {
  const rows = stored(new Trail("a.1").rows(600));
  const { tally, pages, faults } = await walked(rows);
  t.match({ tally, pages, faults }, { tally: { streams: 1, records: 600, last: "a.1:600" }, pages: 3 });
  t.strictSame(faults, []);
  const holed = await walked(rows.filter(({ seq }) => seq !== 250 && seq !== 502));
  t.match(holed.faults, [{ kind: "missing", count: 2, first: { id: "a.1:250" } }]);
});

t.test("faults of all streams are found", async (t) => {
  const rows = stored(["a.1", "b.1"].flatMap((stream) => new Trail(stream).rows(3)));
  const changed = rows.map((row) => (row.seq === 2 ? { ...row, caller: "mallory" } : row));
  const { faults } = await walked(changed);
  t.match(faults, [{ kind: "mislabeled", count: 2, first: { id: "a.1:2" } }]);
  t.equal(faults.length, 1);
});
