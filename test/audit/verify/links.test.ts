import t from "tap";
import type { Draft } from "../../../src/audit/record.ts";
import type { Row, StoredRow } from "../../../src/audit/store.ts";
import { checkReferences } from "../../../src/audit/verify/links.ts";
import { around, stored } from "../listed.ts";
import { linkOf, Trail } from "../rows.ts";

const dead = new Trail("dead.1");
const attempt = dead.attempt("r");
const outcome = dead.outcome(attempt);
const last = dead.attempt("s");
const past = stored([attempt, outcome, last]);

/** What is found when a new process says this of the past. */
async function found(draft: Partial<Draft>, rows: readonly StoredRow[], position = 99) {
  const row: StoredRow = { ...new Trail("new.1").next(draft), position };
  const surroundings = around([...rows, row]);
  await checkReferences(row, JSON.parse(row.text), surroundings);
  return surroundings.findings
    .list()
    .map(({ kind, count, first }) => `${kind} ${count} ${first.id}: ${first.what}`);
}

const opened = (row: Row): Partial<Draft> => ({ kind: "opened", follows: linkOf(row) });
const closed = ({ stream, seq }: Row): Partial<Draft> => ({ kind: "closed", closes: { stream, seq } });

t.test("what is there as it was is no fault", async (t) => {
  t.strictSame(await found(opened(last), past), []);
  t.strictSame(await found(opened(outcome), past), []);
  t.strictSame(await found(closed(last), past), []);
  t.strictSame(await found({ kind: "opened" }, []), [], "the first process of all follows nobody");
  t.strictSame(await found({ kind: "closed" }, []), []);
});

t.test("another record in its place", async (t) => {
  const rewritten = (id: string) => [`rewritten 1 ${id}: new.1:1 knew it as another record`];
  t.strictSame(
    await found({ kind: "opened", follows: { ...linkOf(last), hash: outcome.hash } }, past),
    rewritten("dead.1:3"),
  );
  t.strictSame(await found(closed(outcome), past), rewritten("dead.1:2"));
});

t.test("a stream that ends before it, or is gone", async (t) => {
  const cut = (id: string) => [`cut 1 ${id}: new.1:1 names it, but its stream ends before it`];
  t.strictSame(await found(opened(last), past.slice(0, 2)), cut("dead.1:3"));
  t.strictSame(await found(closed(last), past.slice(0, 2)), cut("dead.1:3"));
  t.strictSame(await found(opened(last), []), cut("dead.1:3"));
  const later = stored(new Trail("e.1").rows(1));
  t.strictSame(await found(opened(last), later), cut("dead.1:3"));
});

t.test("a hole is reported by the walk through its stream", async (t) => {
  t.strictSame(await found(opened(outcome), [past[0], past[2]] as StoredRow[]), []);
});

t.test("what retention removed need not be there", async (t) => {
  const trail = new Trail("p.1");
  const pruned = { pruned_segments: ["2027-01"], checkpoints: [linkOf(outcome)] };
  const prunings = stored([trail.next({ kind: "pruned", ...pruned })]);
  t.strictSame(await found(opened(outcome), prunings), []);
  t.strictSame(await found(closed(attempt), prunings), []);
  t.match(await found(opened(last), prunings), [/^cut 1 dead\.1:3/]);
});

t.test("what names a record was stored after it", async (t) => {
  const what = "its position is not below that of new.1:1, which names it";
  t.strictSame(await found(opened(last), past, 3), [`out_of_order 1 dead.1:3: ${what}`]);
  t.strictSame(await found(closed(last), past, 2), [`out_of_order 1 dead.1:3: ${what}`]);
  t.strictSame(await found(opened(last), past, 4), []);
});
