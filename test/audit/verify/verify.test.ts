import { join } from "node:path";
import t from "tap";
import type { Link } from "../../../src/audit/record.ts";
import { openSqliteStore } from "../../../src/audit/sqlite/store.ts";
import { type Row, StoreError } from "../../../src/audit/store.ts";
import type { Surroundings } from "../../../src/audit/verify/links.ts";
import { type Progress, verify } from "../../../src/audit/verify/verify.ts";
import { anchorsOf, changes, headOf, healthyStore, recordPruning } from "../healthy.ts";
import { listed, stored } from "../listed.ts";
import { Random, seed } from "../random.ts";
import { Trail } from "../rows.ts";

t.test("a store as gateways leave it is whole, with and without anchors", async (t) => {
  const { path, rows } = await healthyStore(join(t.testdir({}), "audit.db"));
  const store = await openSqliteStore(path, {});
  t.teardown(() => store.close());
  const report = {
    anchors: 0,
    streams: 4,
    records: rows.length - 13,
    faults: [],
    unreadableLines: 0,
    stopped: 2,
    unfinished: { count: 1, first: ["d.4:18"] },
    prunings: [{ id: "c.3:13", months: ["2027-01"], anchored: false }],
  };
  t.strictSame(await verify(store), report);
  t.strictSame(await verify(store, { anchors: anchorsOf(rows) }), {
    ...report,
    anchors: rows.length,
    prunings: [{ id: "c.3:13", months: ["2027-01"], anchored: true }],
  });
});

t.test("an empty store is whole", async (t) => {
  const { faults, streams, records } = await verify(listed([]).store);
  t.strictSame({ faults, streams, records }, { faults: [], streams: 0, records: 0 });
});

t.test("tells how far it has come, page by page", async (t) => {
  const rows = stored(new Trail("a.1").rows(600));
  const told: Progress[] = [];
  await verify(listed(rows).store, { onProgress: (progress) => told.push(progress) });
  t.strictSame(
    told.map(({ records }) => records),
    [250, 500, 600],
  );
  t.match(told.at(-1), { streams: 1, anchors: 0 });
});

t.test("tells of its anchors as well", async (t) => {
  const rows = new Trail("a.1").rows(10_001);
  const told: Progress[] = [];
  await verify(listed(stored(rows)).store, {
    anchors: anchorsOf(rows),
    onProgress: (progress) => told.push(progress),
  });
  t.match(told[0], { anchors: 10_000, records: 0 });
  t.match(told.at(-1), { anchors: 10_001, records: 10_001 });
});

t.test(
  "damage that the store finds in itself is a fault, and the rows are checked all the same",
  async (t) => {
    const { store } = listed(stored(new Trail("a.1").rows(3)));
    const { faults, records } = await verify({ ...store, damage: async () => ["page 7", "page 8"] });
    t.strictSame(faults, [{ kind: "damaged", count: 2, first: { what: "page 7" } }]);
    t.equal(records, 3);
  },
);

t.test("a store that cannot be read on is a fault that says how far it came", async (t) => {
  const { store } = listed(stored(new Trail("a.1").rows(300)));
  const failing = async () => {
    throw new StoreError("page 9 is gone");
  };
  const broken = {
    ...store,
    chain: (...[after, limit]: Parameters<typeof store.chain>) =>
      after ? failing() : store.chain(after, limit),
  };
  const { faults, records } = await verify(broken);
  const what = "the store cannot be read on, checked up to a.1:250: page 9 is gone";
  t.strictSame(faults, [{ kind: "damaged", count: 1, first: { what } }]);
  t.equal(records, 250);
  const first = await verify({ ...store, damage: failing });
  t.match(first.faults, [
    { kind: "damaged", first: { what: "the store cannot be read on: page 9 is gone" } },
  ]);
});

t.test("an error that is not the store's ends the verification", async (t) => {
  const { store } = listed(stored(new Trail("a.1").rows(3)));
  const broken = { ...store, damage: () => Promise.reject(new TypeError("a bug")) };
  await t.rejects(verify(broken), { message: "a bug" });
});

t.test(`no false alarm while records are added and pruned (SEED=${seed})`, async (t) => {
  const random = new Random(seed);
  const path = join(t.testdir({}), "audit.db");
  const writer = await openSqliteStore(path, { stream: "w.2" });
  const reader = await openSqliteStore(path, {});
  t.teardown(async () => {
    await reader.close();
    await writer.close();
  });
  const alive = new Trail("w.2");
  const trails = [new Trail("p.1"), alive, new Trail("x.3")];
  const rows: Row[] = [];
  const add = async (added: readonly Row[], after?: Link) => {
    await writer.append(added, after);
    rows.push(...added);
  };
  const addChanges = (trail: Trail, count: number, time: number) => {
    const { head } = trail;
    return add(changes(trail, count, { time }), head);
  };
  let looks = 0;
  for (let month = 1; month <= 9; month++) {
    const time = Date.parse(`2027-0${month}-15T12:00:00Z`);
    for (const trail of trails) await addChanges(trail, 300, time);
    // A process that starts knows one of the streams as it is now, until that is pruned.
    const opened = new Trail(`o.${month}`);
    await add([opened.next({ kind: "opened", follows: headOf(random.of(trails)), time })]);
    let removal: Promise<number> | undefined;
    let turns = random.below(12);
    const meanwhile = async () => {
      looks += 1;
      if (turns-- > 0 || removal || month < 3) return addChanges(random.of(trails), 5, time);
      const { row, remove } = await recordPruning(alive, writer, `2027-0${month - 1}`, time);
      rows.push(row);
      removal = remove();
    };
    const store: Surroundings["store"] = {
      damage: () => reader.damage(),
      chain: (after, limit) => meanwhile().then(() => reader.chain(after, limit)),
      find: (filter, page) => meanwhile().then(() => reader.find(filter, page)),
      unfinished: (stream, settledTo) => meanwhile().then(() => reader.unfinished(stream, settledTo)),
    };
    const { faults } = await verify(store, { anchors: anchorsOf([...rows]) });
    t.strictSame(faults, [], `month ${month}`);
    if (month >= 3) t.ok((await removal) ?? 0, "it was pruned meanwhile");
  }
  t.ok(looks > 50);
});
