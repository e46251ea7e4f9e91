import { setImmediate as nextTurn, setTimeout as sleep } from "node:timers/promises";
import t from "tap";
import type { Sealed } from "../../src/audit/chain.ts";
import { Journal } from "../../src/audit/journal.ts";
import type { Draft } from "../../src/audit/record.ts";
import { eventually } from "../config/eventually.ts";
import { failing, openStore, recordsOf, type TroubledStore, troubled } from "./troubled-store.ts";

// Opened once, as that takes two threads; each test writes a stream of its own.
const shared = await openStore(t, "journal");

/** A draft that is known again by its request id. */
const draft = (id: string, more: Partial<Draft> = {}): Draft => ({
  kind: "alive",
  request_id: id,
  time: Date.now(),
  uptime_ms: 1,
  ...more,
});

const attempt = (id: string) => draft(id, { kind: "attempt" });
let streams = 0;

/** A journal with a stream of its own, and all that it told. */
function start(opening?: (store: TroubledStore) => Promise<TroubledStore>) {
  const stream = `journal.${++streams}`;
  const store = troubled(shared);
  const told = { stored: [] as Sealed[], flushes: [] as number[], failures: [] as string[], usable: 0 };
  const journal = new Journal({
    stream,
    timeoutMs: 400,
    store: async () => (opening ? opening(store) : store),
    onStored: (sealed) => told.stored.push(sealed),
    onFlush: (ms) => told.flushes.push(ms),
    onFailure: ({ message }) => told.failures.push(message),
    onUsable: () => {
      told.usable += 1;
    },
  });
  const outcomeOf = (seq: number, of = stream) =>
    draft(`outcome-${seq}`, { kind: "outcome", outcome: "done", closes: { stream: of, seq } });
  const addAll = (ids: readonly string[]) => Promise.all(ids.map((id) => journal.add(draft(id)).stored));
  /** Request ids in the order of the chain, which must be whole. */
  const ids = async () => (await recordsOf(store, stream)).map(({ request_id }) => request_id);
  const sizes = () => store.asked.map(({ rows }) => rows.length);
  return { journal, stream, store, told, outcomeOf, addAll, ids, sizes };
}

/** From now on each append waits until the result is resolved or rejected. */
function block(store: TroubledStore): PromiseWithResolvers<void> {
  const gate = Promise.withResolvers<void>();
  store.beforeAppend = () => gate.promise;
  return gate;
}

const named = (count: number) => Array.from({ length: count }, (_, index) => `r${index}`);

t.test("records are stored and told of in the order in which they came", async (t) => {
  const { journal, stream, told, ids } = start();
  t.equal(journal.head, undefined);
  const entries = named(3).map((id) => journal.add(draft(id)));
  t.equal(journal.waiting, 3);
  t.strictSame(
    entries.map(({ seq }) => seq),
    [undefined, undefined, undefined],
  );
  await entries[2]?.stored;
  t.strictSame(
    entries.map(({ seq }) => seq),
    [1, 2, 3],
  );
  t.strictSame(await ids(), named(3));
  t.strictSame(
    told.stored.map(({ record }) => record.request_id),
    named(3),
  );
  t.equal(journal.waiting, 0);
  t.strictSame(journal.head, { stream, seq: 3, hash: told.stored[2]?.hash });
  t.equal(told.flushes.length, 1);
});

t.test("a record is durable before anybody is told", async (t) => {
  const { journal, store, told } = start();
  const gate = block(store);
  let stored = false;
  const entry = journal.add(draft("a"));
  void entry.stored.then(() => {
    stored = true;
  });
  await eventually("the append", () => store.asked.length === 1);
  await sleep(20);
  t.strictSame([stored, told.stored.length, told.flushes.length], [false, 0, 0]);
  gate.resolve();
  await entry.stored;
  t.equal(told.stored.length, 1);
});

t.test("what comes during a flush shares the next one, up to a bound", async (t) => {
  const { store, journal, addAll, ids, sizes } = start();
  const gate = block(store);
  const first = journal.add(draft("first")).stored;
  await eventually("the append", () => store.asked.length === 1);
  const others = addAll(named(600));
  gate.resolve();
  await Promise.all([first, others]);
  t.strictSame(sizes(), [1, 512, 88]);
  t.strictSame(await ids(), ["first", ...named(600)]);
});

t.test("a single caller waits for nobody", async (t) => {
  const { journal, sizes } = start();
  const first = journal.add(draft("first"));
  await nextTurn();
  await Promise.all([first.stored, journal.add(draft("second")).stored]);
  t.strictSame(sizes(), [1, 1]);
});

t.test("with much under way a flush waits for company", async (t) => {
  const { journal, outcomeOf, sizes } = start();
  const attempts = named(20).map((id) => journal.add(attempt(id)));
  await Promise.all(attempts.map(({ stored }) => stored));
  t.equal(journal.open, 20);
  const first = journal.add(outcomeOf(1));
  await nextTurn();
  const others = attempts.slice(1).map(({ seq = 0 }) => journal.add(outcomeOf(seq)).stored);
  await Promise.all([first.stored, ...others]);
  t.strictSame(sizes(), [20, 20]);
  t.equal(journal.open, 0);
});

t.test("company that does not come is not waited for", async (t) => {
  const { journal, outcomeOf, sizes } = start();
  await Promise.all(named(20).map((id) => journal.add(attempt(id)).stored));
  await journal.add(outcomeOf(1)).stored;
  t.strictSame(sizes(), [20, 1]);
});

t.test("a batch that failed after it was stored is repeated as it is and leaves one copy", async (t) => {
  const { stream, store, told, addAll, ids } = start();
  await addAll(["before"]);
  store.afterAppend = failing(2);
  const lost = addAll(["a", "b"]);
  await eventually("the first failure", () => told.failures.includes("the disk is full"));
  const later = addAll(["later"]);
  await Promise.all([lost, later]);
  const [, first, second, third, fourth] = store.asked;
  t.strictSame(second, first);
  t.strictSame(third, first);
  t.strictSame(fourth?.after, { stream, seq: 3, hash: first?.rows[1]?.hash });
  t.strictSame(await ids(), ["before", "a", "b", "later"]);
  t.strictSame(
    told.stored.map(({ record }) => record.request_id),
    ["before", "a", "b", "later"],
  );
});

t.test("a batch that was not stored is repeated until it is", async (t) => {
  const { store, told, addAll, ids } = start();
  store.beforeAppend = failing(3);
  await addAll(["a"]);
  t.equal(store.asked.length, 4);
  t.equal(told.failures.filter((message) => message === "the disk is full").length, 3);
  t.strictSame(await ids(), ["a"]);
});

t.test("trouble: until the store is open, and while it fails", async (t) => {
  let openings = 0;
  const { journal, store, told, addAll } = start(async (store) => {
    if (++openings <= 2) throw new Error("no such host");
    return store;
  });
  t.equal(journal.trouble, "the store is not open yet");
  const first = addAll(["a"]);
  await eventually("a failed opening", () => journal.trouble === "no such host");
  t.equal(told.usable, 0);
  await first;
  t.equal(journal.trouble, undefined);
  t.ok(told.usable > 0);
  const before = told.usable;
  const gate = block(store);
  const second = addAll(["b"]);
  await eventually("the append", () => store.asked.length === 2);
  gate.reject(new Error("read-only"));
  await eventually("the failure", () => journal.trouble === "read-only");
  t.equal(told.usable, before);
  store.beforeAppend = failing(0);
  await second;
  t.equal(journal.trouble, undefined);
  t.ok(told.usable > before);
});

t.test("trouble: a store that hangs, for as long as it does", async (t) => {
  const { journal, store, told, addAll } = start();
  await addAll(["a"]);
  const gate = block(store);
  const second = addAll(["b"]);
  await eventually("trouble", () => journal.trouble);
  t.equal(journal.trouble, "a flush takes longer than 400 ms");
  t.equal(told.failures.at(-1), journal.trouble);
  gate.resolve();
  await second;
  t.equal(journal.trouble, undefined);
  t.equal(store.asked.length, 2, "the slow flush itself succeeded and is not repeated");
});

t.test("settled_to follows the oldest attempt without an outcome", async (t) => {
  const { journal, stream, store, outcomeOf } = start();
  const drafts = [
    attempt("a"),
    attempt("b"),
    outcomeOf(2),
    outcomeOf(1, "somebody.else"),
    attempt("c"),
    outcomeOf(1),
    outcomeOf(5),
    draft("d"),
  ];
  const open: number[] = [];
  for (const each of drafts) {
    await journal.add(each).stored;
    open.push(journal.open);
  }
  t.strictSame(
    (await recordsOf(store, stream)).map(({ settled_to }) => settled_to),
    [0, 0, 0, 0, 0, 4, 7, 8],
  );
  t.strictSame(open, [1, 2, 1, 1, 2, 1, 0, 0]);
});

t.test("a record can be taken back until it is sealed", async (t) => {
  const { journal, store, ids } = start();
  const gate = block(store);
  const sealed = journal.add(draft("sealed"));
  await eventually("the append", () => store.asked.length === 1);
  const [waiting, other] = [journal.add(draft("waiting")), journal.add(draft("other"))];
  t.equal(journal.withdraw(sealed), false);
  t.equal(journal.withdraw(waiting), true);
  t.equal(journal.withdraw(waiting), false);
  t.equal(journal.waiting, 1);
  gate.resolve();
  await other.stored;
  t.strictSame(await ids(), ["sealed", "other"]);
  t.equal(waiting.seq, undefined);
});

t.test("when all is taken back there is nothing to store", async (t) => {
  const { journal, store, ids } = start();
  t.equal(journal.withdraw(journal.add(draft("a"))), true);
  await nextTurn();
  await nextTurn();
  t.equal(store.asked.length, 0);
  await journal.add(draft("b")).stored;
  t.strictSame(await ids(), ["b"]);
});

t.test("close waits for outcomes that are still to come", async (t) => {
  const { journal, outcomeOf, ids } = start();
  await journal.add(attempt("a")).stored;
  let closed = false;
  const closing = journal.close(60_000).then((lost) => {
    closed = true;
    return lost;
  });
  await sleep(30);
  t.equal(closed, false);
  journal.add(outcomeOf(1));
  t.equal(await closing, 0);
  t.strictSame(await ids(), ["a", "outcome-1"]);
});

t.test("close with nothing to wait for", async (t) => {
  const { journal, store } = start();
  t.equal(await journal.close(60_000), 0);
  t.equal(store.asked.length, 0);
});

t.test(
  "close while the store hangs says how many records are lost, and nothing is sent after it",
  async (t) => {
    const { journal, store, ids } = start();
    const gate = block(store);
    for (const id of ["a", "b"]) journal.add(draft(id));
    await eventually("the append", () => store.asked.length === 1);
    for (const id of ["c", "d", "e"]) journal.add(draft(id));
    t.equal(await journal.close(20), 5);
    gate.resolve();
    journal.add(draft("f"));
    await eventually("the end of the flush", async () => (await ids()).length === 2);
    await sleep(50);
    t.strictSame(await ids(), ["a", "b"]);
    t.equal(store.asked.length, 1);
  },
);

t.test("close while the store fails ends the repeats", async (t) => {
  const { journal, store, told } = start();
  const gate = block(store);
  journal.add(draft("a"));
  await eventually("the append", () => store.asked.length === 1);
  t.equal(await journal.close(20), 1);
  gate.reject(new Error("gone"));
  await eventually("the failure", () => told.failures.includes("gone"));
  await sleep(150);
  t.equal(store.asked.length, 1);
});

t.test("20,000 records at once: all there, once, in order, with 40 flushes", async (t) => {
  const { journal, store, told, addAll, ids } = start();
  await addAll(named(20_000));
  t.equal(store.asked.length, Math.ceil(20_000 / 512));
  t.equal(told.stored.length, 20_000);
  t.same(await ids(), named(20_000));
  t.equal(journal.trouble, undefined);
});
