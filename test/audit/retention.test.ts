import { mock } from "node:test";
import t, { type Test } from "tap";
import { Journal } from "../../src/audit/journal.ts";
import { prune } from "../../src/audit/retention.ts";
import type { Row } from "../../src/audit/store.ts";
import { linkOf, Trail } from "./rows.ts";
import { openStore, recordsOf } from "./troubled-store.ts";

const stream = "alive.1";
const unused = {
  stream,
  timeoutMs: 60_000,
  store: () => Promise.reject(new Error("nothing is to be recorded")),
  onStored: () => undefined,
  onFlush: () => undefined,
  onFailure: () => undefined,
  onUsable: () => undefined,
};
const months = ["2026-11", "2026-12", "2027-01", "2027-02"] as const;

/** Lets the wall clock stand still at this time. */
function standAt(t: Test, time: string): void {
  mock.timers.enable({ apis: ["Date"], now: Date.parse(time) });
  t.teardown(() => mock.timers.reset());
}

/** A store with three rows in each month of a dead process, and the journal of a living one. */
async function start(t: Test) {
  const store = await openStore(t, stream);
  const dead = new Trail("dead.1");
  const rows = months.flatMap((month) => dead.rows(3, { time: Date.parse(`${month}-28T23:59:59Z`) }));
  await store.append(rows, undefined);
  const journal = new Journal({ ...unused, store: async () => store });
  const left = async () => (await store.chain({ stream: "dead.1", seq: 0 }, 100)).map(({ seq }) => seq);
  return { store, journal, rows, left };
}

/** The month from which on all is kept. */
async function keptFrom(t: Test, time: string, days: number): Promise<string> {
  standAt(t, time);
  const asked: string[] = [];
  const empty = {
    prunable: async (before: string) => void asked.push(before),
    remove: () => Promise.reject(new Error("there is nothing to remove")),
    find: async () => [],
    heads: async () => [],
  };
  await prune(empty, new Journal(unused), days);
  mock.timers.reset();
  return asked.join();
}

t.test("a month goes when its last day is so many days ago, and not before", async (t) => {
  for (const [time, days, kept] of [
    ["2027-03-30T23:59:59.999Z", 30, "2027-02"],
    ["2027-03-31T00:00:00.000Z", 30, "2027-03"],
    ["2027-01-01T00:00:00.000Z", 1, "2026-12"],
    ["2027-01-01T23:59:59.999Z", 1, "2026-12"],
    ["2027-01-02T00:00:00.000Z", 1, "2027-01"],
    ["2028-03-01T00:00:00.000Z", 1, "2028-02"],
    ["2028-02-29T12:00:00.000Z", 28, "2028-02"],
    ["2028-02-29T12:00:00.000Z", 29, "2028-01"],
    ["2027-12-31T23:59:59.999Z", 365, "2026-12"],
    ["2028-01-01T00:00:00.000Z", 365, "2027-01"],
    ["2028-12-31T00:00:00.000Z", 365, "2028-01"],
    ["2027-06-15T00:00:00.000Z", 36_500, "1927-07"],
  ] as const) {
    t.equal(await keptFrom(t, time, days), kept, `${days} days at ${time}`);
  }
});

t.test("whole months are removed, and what goes is recorded first", async (t) => {
  standAt(t, "2027-02-10T00:00:00Z");
  const { store, journal, rows, left } = await start(t);
  t.equal(await prune(store, journal, 30), 6);
  t.strictSame(await left(), [7, 8, 9, 10, 11, 12]);
  const [last] = rows.slice(5);
  t.match(await recordsOf(store, stream), [
    {
      kind: "pruned",
      time: "2027-02-10T00:00:00.000Z",
      pruned_segments: ["2026-11", "2026-12"],
      pruned_records: 6,
      checkpoints: [last && linkOf(last)],
    },
  ]);
});

t.test("with nothing old nothing is recorded", async (t) => {
  standAt(t, "2027-02-10T00:00:00Z");
  const { store, journal, left } = await start(t);
  t.equal(await prune(store, journal, 365), 0);
  await prune(store, journal, 30);
  t.equal(await prune(store, journal, 30), 0, "the second time there is nothing left");
  t.equal((await recordsOf(store, stream)).length, 1);
  t.equal((await left()).length, 6);
});

t.test("nothing is removed before it is recorded", async (t) => {
  standAt(t, "2027-02-10T00:00:00Z");
  const { store, left } = await start(t);
  const gate = Promise.withResolvers<typeof store>();
  const journal = new Journal({ ...unused, store: () => gate.promise });
  const pruning = prune(store, journal, 30);
  await store.find({}, { order: "newest_first", limit: 1 });
  t.equal((await left()).length, 12);
  gate.resolve(store);
  t.equal(await pruning, 6);
});

t.test("a stream that loses nothing keeps the checkpoint that an earlier pruning gave it", async (t) => {
  standAt(t, "2027-02-10T00:00:00Z");
  const { store, journal, rows } = await start(t);
  const [old] = new Trail("old.1").rows(1, { time: Date.parse("2026-12-01T00:00:00Z") });
  const quiet = new Trail("quiet.1");
  await store.append([old as Row], undefined);
  await store.append(
    [
      ...quiet.rows(2, { time: Date.parse("2026-11-01T00:00:00Z") }),
      quiet.next({ time: Date.parse("2027-01-31T00:00:00Z") }),
    ],
    undefined,
  );
  const [, second, third] = await store.chain({ stream: "quiet.1", seq: 1 }, 3);
  await prune(store, journal, 60);
  t.equal(await prune(store, journal, 30), 4);
  const [first, next] = await recordsOf(store, stream);
  t.match(first, { pruned_segments: ["2026-11"] });
  t.strictSame(next?.checkpoints, [linkOf(rows[5] as Row), linkOf(old as Row), linkOf(second as Row)]);
  t.equal(third?.seq, 3, "of which something is left");
  mock.timers.setTime(Date.parse("2027-06-10T00:00:00Z"));
  await prune(store, journal, 30);
  const [last] = await store.find({ kind: "pruned" }, { order: "newest_first", limit: 1 });
  t.match(last?.text, /"checkpoints":\[.*quiet\.1/);
  t.notMatch(last?.text, /old\.1/, "a stream of which nothing is left is forgotten");
});

t.test("who cut off the beginning of a stream does not get that signed off", async (t) => {
  standAt(t, "2027-02-10T00:00:00Z");
  const { store, journal } = await start(t);
  const cut = new Trail("cut.1");
  cut.next();
  await store.append([cut.next({ time: Date.parse("2027-01-31T00:00:00Z") })], undefined);
  await prune(store, journal, 30);
  const [pruned] = await recordsOf(store, stream);
  t.notMatch(JSON.stringify(pruned?.checkpoints), /cut\.1/);
});

t.test("a removal that was interrupted is finished by the next", async (t) => {
  standAt(t, "2027-02-10T00:00:00Z");
  const { store, journal, left } = await start(t);
  const interrupted = {
    prunable: store.prunable.bind(store),
    find: store.find.bind(store),
    heads: store.heads.bind(store),
    remove: async (segments: readonly string[]) => {
      await store.remove(segments.slice(0, 1));
      throw new Error("the process ends");
    },
  };
  await t.rejects(prune(interrupted, journal, 30), { message: "the process ends" });
  t.equal((await left()).length, 9);
  t.equal(await prune(store, journal, 30), 3);
  t.equal((await left()).length, 6);
  t.match(await recordsOf(store, stream), [
    { pruned_segments: ["2026-11", "2026-12"], pruned_records: 6 },
    { pruned_segments: ["2026-12"], pruned_records: 3 },
  ]);
});
