import { inspect } from "node:util";
import { Client } from "pg";
import t from "tap";
import { openPostgresStore } from "../../../src/audit/postgres/store.ts";
import type { AuditStore, Page, StoredRow, StoreOptions } from "../../../src/audit/store.ts";
import { eventually } from "../../config/eventually.ts";
import type { Teardown } from "../../helpers/gateway.ts";
import { skip, skipOwn, startOwnPostgres, startPostgres, type TestPostgres } from "../../helpers/postgres.ts";
import { linkOf, start, Trail } from "../rows.ts";
import { storeContract } from "../store-contract.ts";

/** Opens stores of one database that are closed with the test. */
function opener(t: Teardown, { url }: TestPostgres) {
  return async (options: StoreOptions) => {
    const store = await openPostgresStore({ url }, options);
    t.teardown(() => store.close());
    return store;
  };
}

if (skip) t.pass(skip);
else storeContract("PostgreSQL", { place: async (t) => opener(t, await startPostgres(t)) });

const newest: Page = { order: "newest_first", limit: 1000 };
const passing = { name: "StoreError", permanent: false };
const seqs = (rows: readonly StoredRow[]) => rows.map(({ seq }) => seq);

t.test("whoever cannot get in is told why, without a password", { skip: skipOwn }, async (t) => {
  const postgres = await startOwnPostgres(t);
  const { query, urlFor, url, stop } = postgres;
  await query("CREATE ROLE guest LOGIN PASSWORD 'right password'");
  const elsewhere = Object.assign(new URL(url), { pathname: "/nowhere" }).href;
  const fails = async (at: string, expected: { permanent: boolean; message: RegExp }) => {
    for (const options of [{}, { stream: "a.1" }]) {
      const error = await openPostgresStore({ url: at }, options).catch((error: unknown) => error);
      t.match(error, { name: "StoreError", ...expected }, at);
      t.notMatch(inspect(error), /wrong%20password|wrong password|right password/);
      t.notMatch(inspect(error), new URL(url).password);
    }
  };
  await fails(urlFor("guest", "wrong password"), {
    permanent: true,
    message: /password authentication failed/,
  });
  await fails(elsewhere, {
    permanent: true,
    message: /opening .* at .*\/nowhere: database "nowhere" does not exist/,
  });
  await query("ALTER ROLE guest CONNECTION LIMIT 0");
  await fails(urlFor("guest", "right password"), { permanent: false, message: /too many connections/ });
  await stop();
  await fails(url, { permanent: false, message: /ECONNREFUSED/ });
});

t.test("a reader leaves the database as it is, and cannot be made to write", { skip }, async (t) => {
  const open = opener(t, await startPostgres(t));
  await t.rejects(open({}), { name: "StoreError", permanent: true, absent: true });
  const rows = new Trail("a.1").rows(2);
  await (await open({ stream: "a.1" })).append(rows, undefined);
  const reader = await open({});
  const refused = { name: "StoreError", permanent: true, message: /open for reading only/ };
  await t.rejects(reader.append(rows, undefined), refused);
  await t.rejects(reader.claim("b.1"), refused);
  await t.rejects(reader.release("b.1"), refused);
  await t.rejects(reader.remove(["2027-03"]), refused);
  t.match(await reader.prunable("2027-04"), { records: 2 });
});

t.test("readers find the server again", { skip: skipOwn }, async (t) => {
  const postgres = await startOwnPostgres(t);
  const store = await opener(t, postgres)({ stream: "a.1" });
  const trail = new Trail("a.1");
  await store.append(trail.rows(2), undefined);
  t.strictSame(seqs(await store.find({}, newest)), [2, 1]);
  await postgres.stop("immediate");
  await t.rejects(store.find({}, newest), passing);
  await t.rejects(store.heads(), passing);
  await t.rejects(store.prunable("2027-04"), passing);
  await t.rejects(store.remove(["2027-03"]), passing);
  await postgres.start();
  t.strictSame(seqs(await store.find({}, newest)), [2, 1], "what was durable is there after a crash");
});

t.test("a reading connection that is ended while it is idle is replaced", { skip }, async (t) => {
  const postgres = await startPostgres(t);
  const store = await opener(t, postgres)({ stream: "a.1" });
  await store.append(new Trail("a.1").rows(1), undefined);
  t.strictSame(seqs(await store.find({}, newest)), [1]);
  const readers =
    "FROM pg_stat_activity WHERE application_name = 'coze-gateway reader' AND datname = current_database()";
  t.equal((await postgres.query(`SELECT pg_terminate_backend(pid) ${readers}`)).length, 1);
  await eventually("the list", () =>
    store.find({}, newest).then(
      (rows) => rows.length === 1,
      () => false,
    ),
  );
});

t.test("closing does not wait for a server that hangs", { skip: skipOwn }, async (t) => {
  const postgres = await startOwnPostgres(t);
  const store = await openPostgresStore({ url: postgres.url }, { stream: "a.1" });
  await store.find({}, newest);
  postgres.freeze();
  const waiting = t.rejects(store.find({}, newest), { name: "StoreError" });
  await store.close();
  await waiting;
  await t.rejects(store.find({}, newest), { message: /the store is closed/ });
});

t.test("a list by time looks into all months that have rows of that time", { skip }, async (t) => {
  const open = opener(t, await startPostgres(t));
  const store = await open({ stream: "a.1" });
  const trail = new Trail("a.1");
  const april = Date.parse("2027-04-01T00:00:00.000Z");
  const rows = [start, april, april - 1000, april + 1000].map((time) => trail.next({ time }));
  await store.append(rows, undefined);
  t.strictSame(seqs(await store.find({ from: start, to: april }, newest)), [3, 1]);
  t.strictSame(seqs(await store.find({ from: april }, newest)), [4, 2]);
  t.strictSame(seqs(await store.find({ to: start }, newest)), []);
});

t.test("who follows the trail misses nothing, however many write", { skip }, async (t) => {
  const open = opener(t, await startPostgres(t));
  const streams = ["a.1", "b.1", "c.1", "d.1"];
  const stores = await Promise.all(streams.map((stream) => open({ stream })));
  const reader = await open({});
  const followed: number[] = [];
  let writing = true;
  const follow = async () => {
    const page = await reader.find({}, { order: "oldest_first", after: followed.at(-1), limit: 7 });
    followed.push(...page.map(({ position }) => position));
    return page.length > 0;
  };
  const following = (async () => {
    while (writing || (await follow())) await follow();
  })();
  const write = async (store: AuditStore, stream: string) => {
    const trail = new Trail(stream);
    for (let batch = 0; batch < 40; batch++) {
      const after = trail.head;
      await store.append(trail.rows(1 + (batch % 3)), after);
    }
  };
  await Promise.all(stores.map((store, index) => write(store, String(streams[index]))));
  writing = false;
  await following;
  const all = await reader.find({}, { order: "oldest_first", limit: 10_000 });
  t.equal(all.length, 4 * (40 + 39));
  t.strictSame(
    followed,
    all.map(({ position }) => position),
  );
  for (const stream of streams) {
    const own = all.filter((row) => row.stream === stream);
    t.strictSame(
      seqs(own),
      own.map((_, index) => index + 1),
      "positions are in the order of the chain, too",
    );
  }
});

t.test("nothing appears below a position that was seen", { skip }, async (t) => {
  const postgres = await startPostgres(t);
  const store = await opener(t, postgres)({ stream: "a.1" });
  await postgres.query("SELECT audit_ensure_segment('2027-03')");
  const slow = new Client({ connectionString: postgres.url });
  t.teardown(() => slow.end());
  await slow.connect();
  await slow.query("BEGIN");
  await slow.query("SELECT audit_append($1, NULL, NULL)", [JSON.stringify(new Trail("slow.1").rows(1))]);
  const append = store.append(new Trail("a.1").rows(1), undefined);
  const waiting = "SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted";
  await eventually("a wait for the commit before it", async () => (await postgres.query(waiting)).length > 0);
  t.strictSame(await store.find({}, newest), []);
  await slow.query("COMMIT");
  await append;
  t.match(await store.find({}, newest), [
    { stream: "a.1", position: 2 },
    { stream: "slow.1", position: 1 },
  ]);
});

t.test("replicas that reach a new month together", { skip }, async (t) => {
  const open = opener(t, await startPostgres(t));
  const trails = Array.from({ length: 4 }, (_, replica) => new Trail(`a.${replica}`));
  const stores = await Promise.all(trails.map((_, replica) => open({ stream: `a.${replica}` })));
  const write = (store: AuditStore, trail: Trail, month: number) => {
    const after = trail.head;
    return store.append(trail.rows(3, { time: Date.UTC(2031, month, 1) }), after);
  };
  for (let month = 0; month < 12; month++) {
    await Promise.all(stores.map((store, replica) => write(store, trails[replica] as Trail, month)));
  }
  t.match(await stores[0]?.prunable("2032-01"), { records: 144, segments: { length: 12 } });
});

t.test("rows that were stored are refused after the store was set back", { skip }, async (t) => {
  const postgres = await startPostgres(t);
  const store = await opener(t, postgres)({ stream: "a.1" });
  const trail = new Trail("a.1");
  const rows = trail.rows(2);
  await store.append(rows, undefined);
  await postgres.query("DROP TABLE audit_record_2027_03");
  await t.rejects(store.append(trail.rows(1), linkOf(rows[1] as (typeof rows)[0])), {
    name: "StoreError",
    permanent: true,
    message:
      /^the store has lost records of this process: append at .*: a\.1:2 is not there as it was stored$/,
  });
  t.strictSame(await store.find({}, newest), []);
});
