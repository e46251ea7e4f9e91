import canonicalize from "canonicalize";
import t from "tap";
import { hashOf } from "../../../src/audit/chain.ts";
import type { Draft, Link } from "../../../src/audit/record.ts";
import type { Row, StoredRow } from "../../../src/audit/store.ts";
import { Prunings } from "../../../src/audit/verify/prunings.ts";
import { listed, stored } from "../listed.ts";
import { Trail } from "../rows.ts";

const link = (stream: string, seq: number): Link => ({ stream, seq, hash: "a".repeat(64) });
const trail = new Trail("p.1");
const pruned = (months: string[], ...checkpoints: Link[]): Row =>
  trail.next({ kind: "pruned", pruned_segments: months, checkpoints } satisfies Partial<Draft>);

t.test("says which pruning removed a record, and uses it up to its last one", async (t) => {
  const { store } = listed(
    stored([pruned(["2027-02", "2027-01"], link("a.1", 7), link("b.1", 3)), trail.next()]),
  );
  const prunings = new Prunings(store);
  t.strictSame(prunings.used, []);
  t.equal(await prunings.covering("a.1", 8), undefined);
  t.equal(await prunings.covering("c.1", 1), undefined);
  t.strictSame(prunings.used, []);
  const found = await prunings.covering("a.1", 7);
  t.match(found, { id: "p.1:1", months: ["2027-01", "2027-02"], month: "2027-02" });
  t.strictSame(found?.checkpoints.get("b.1"), link("b.1", 3));
  t.equal(await prunings.covering("b.1", 3), found);
  t.strictSame(prunings.used, [found]);
});

t.test("the newest that covers it counts, and one that was used is asked first", async (t) => {
  const rows = stored(
    Array.from({ length: 12 }, (_, at) =>
      pruned([`2027-0${1 + (at % 9)}`], link(`s.${at}`, at + 1), link("all.1", 5)),
    ),
  );
  const { store, asked } = listed(rows);
  const prunings = new Prunings(store);
  t.match(await prunings.covering("all.1", 5), { id: `p.1:${rows.at(-1)?.seq}` });
  t.equal(asked.find, 1);
  t.match(await prunings.covering("all.1", 1), { id: `p.1:${rows.at(-1)?.seq}` });
  t.equal(asked.find, 1, "known");
  t.match(await prunings.covering("s.0", 1), { id: `p.1:${rows[0]?.seq}` });
  t.equal(asked.find, 4, "pages of five");
  t.match(await prunings.newest(), { id: `p.1:${rows.at(-1)?.seq}` });
  t.equal(prunings.used.length, 2);
});

t.test("a pruning that begins later is seen", async (t) => {
  const rows: StoredRow[] = stored([pruned(["2027-01"], link("a.1", 3))]);
  const { store } = listed(rows);
  const prunings = new Prunings(store);
  t.ok(await prunings.covering("a.1", 3));
  t.equal(await prunings.covering("a.1", 9), undefined);
  rows.push(...stored([pruned(["2027-02"], link("a.1", 9))]).map((row) => ({ ...row, position: 2 })));
  t.match(await prunings.covering("a.1", 9), { months: ["2027-02"] });
});

t.test("without a pruning there is no newest one", async (t) => {
  t.equal(await new Prunings(listed(stored([trail.next()])).store).newest(), undefined);
});

t.test("what is no intact record of a pruning explains nothing", async (t) => {
  const [row] = stored([pruned(["2027-01"], link("a.1", 7))]) as [StoredRow];
  const withText = (text: string): StoredRow => ({ ...row, text, hash: hashOf(text) });
  const changed = (change: object) =>
    withText(canonicalize({ ...JSON.parse(row.text), ...change }) as string);
  for (const bad of [
    { ...row, text: row.text.replace('"seq":7', '"seq":9') },
    withText("no JSON"),
    withText("{}"),
    changed({ kind: "alive" }),
    changed({ checkpoints: [{ stream: "a.1", seq: 7 }] }),
    changed({ pruned_segments: [] }),
    changed({ pruned_segments: undefined }),
    changed({ checkpoints: undefined }),
  ]) {
    t.equal(await new Prunings(listed([bad]).store).covering("a.1", 7), undefined, bad.text);
  }
  t.ok(await new Prunings(listed([row]).store).covering("a.1", 7));
});
