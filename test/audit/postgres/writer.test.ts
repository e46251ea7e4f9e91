import { Client } from "pg";
import t from "tap";
import { appendLock } from "../../../src/audit/postgres/append.ts";
import { storeErrorOf } from "../../../src/audit/postgres/error.ts";
import { migratePostgres } from "../../../src/audit/postgres/migrate.ts";
import { PostgresServer } from "../../../src/audit/postgres/server.ts";
import { PostgresWriter, streamLock } from "../../../src/audit/postgres/writer.ts";
import { eventually } from "../../config/eventually.ts";
import type { Teardown } from "../../helpers/gateway.ts";
import { skip, skipOwn, startOwnPostgres, startPostgres, type TestPostgres } from "../../helpers/postgres.ts";
import { linkOf, Trail } from "../rows.ts";

/** A database with the schema, and writers that end with the test. */
async function withWriters<T extends TestPostgres>(t: Teardown, start: (t: Teardown) => Promise<T>) {
  const postgres = await start(t);
  await migratePostgres({ url: postgres.url });
  // Appending is looked at as it is all month, not as it is in the first moment.
  await postgres.query("SELECT audit_ensure_segment('2027-03')");
  const write = async (stream: string) => {
    const server = new PostgresServer({ url: postgres.url });
    const writer = new PostgresWriter(server, stream);
    t.teardown(() => server.cut());
    await writer.open();
    return writer;
  };
  const records = async () => (await postgres.query("SELECT FROM audit_record")).length;
  /** Ends the connections of writers, and waits until the server has. */
  const kill = async () => {
    const writers =
      "FROM pg_stat_activity WHERE application_name = 'coze-gateway writer' AND datname = current_database()";
    await postgres.query(`SELECT pg_terminate_backend(pid) ${writers}`);
    await eventually("no writers", async () => (await postgres.query(`SELECT ${writers}`)).length === 0);
  };
  return { ...postgres, write, records, kill };
}

/** A session that holds something, until it is ended. */
async function hold(t: Teardown, url: string, ...statements: string[]): Promise<Client> {
  const client = new Client({ connectionString: url });
  t.teardown(() => client.end());
  await client.connect();
  for (const statement of statements) await client.query(statement);
  return client;
}

/** What a store would say of it. */
function told(call: Promise<unknown>) {
  return call.catch((error: unknown) => {
    throw storeErrorOf(error, "append", "here");
  });
}

const passing = { name: "StoreError", permanent: false };

/** Whether a call rejects with these words, and not for good. */
function refusal(call: Promise<unknown>, words: RegExp): Promise<boolean> {
  return told(call).then(
    () => false,
    ({ message, permanent }) => !permanent && words.test(message),
  );
}

/** Whether a call does what it should; it may be the one that finds its connection ended. */
function works(call: Promise<unknown>): Promise<boolean> {
  return call.then(
    () => true,
    () => false,
  );
}

t.test("a connection that was ended is replaced by the next call", { skip }, async (t) => {
  const { write, records, kill } = await withWriters(t, startPostgres);
  const trail = new Trail("a.1");
  const rows = trail.rows(4);
  const writer = await write("a.1");
  await writer.append(rows.slice(0, 2), undefined);
  await kill();
  const after = linkOf(rows[1] as (typeof rows)[0]);
  // The end may be seen before the call, or by it.
  await writer.append(rows.slice(2), after).catch(() => writer.append(rows.slice(2), after));
  t.equal(await records(), 4);
});

t.test("a call whose connection is ended in the middle rejects, and can be repeated", { skip }, async (t) => {
  const { url, write, records, kill } = await withWriters(t, startPostgres);
  const rows = new Trail("a.1").rows(2);
  const writer = await write("a.1");
  const holder = await hold(t, url, `SELECT pg_advisory_lock(${appendLock})`);
  const append = t.rejects(told(writer.append(rows, undefined)), passing);
  await kill();
  await append;
  await holder.query("SELECT pg_advisory_unlock_all()");
  await writer.append(rows, undefined);
  t.equal(await records(), 2);
});

t.test("a lock that somebody holds ends the wait, not the connection", { skip }, async (t) => {
  const { url, query, write, records } = await withWriters(t, startPostgres);
  const rows = new Trail("a.1").rows(2);
  const writer = await write("a.1");
  const backends =
    "SELECT pid FROM pg_stat_activity WHERE application_name = 'coze-gateway writer' AND datname = current_database()";
  const before = await query(backends);
  const locks = [
    `SELECT pg_advisory_lock(${appendLock})`,
    "LOCK TABLE audit_record IN ACCESS EXCLUSIVE MODE",
  ];
  for (const lock of locks) {
    const holder = await hold(t, url, "BEGIN", lock);
    await t.rejects(told(writer.append(rows, undefined)), { ...passing, message: /lock timeout/ }, lock);
    await holder.query("ROLLBACK");
    await holder.query("SELECT pg_advisory_unlock_all()");
    t.equal(await records(), 0);
  }
  await writer.append(rows, undefined);
  t.equal(await records(), 2);
  t.strictSame(await query(backends), before);
});

t.test("a database that takes no writes is trouble until it does", { skip }, async (t) => {
  const { name, query, write, records, kill } = await withWriters(t, startPostgres);
  const rows = new Trail("a.1").rows(2);
  const writer = await write("a.1");
  await query(`ALTER DATABASE ${name} SET default_transaction_read_only = on`);
  await kill();
  await eventually("the refusal", () => refusal(writer.append(rows, undefined), /read-only/));
  // The default holds for each transaction of this session, too.
  await query(`BEGIN READ WRITE; ALTER DATABASE ${name} RESET default_transaction_read_only; COMMIT`);
  await writer.append(rows, undefined);
  t.equal(await records(), 2, "with a connection made anew, because another server may answer now");
});

t.test(
  "a server that hangs holds up no call for long, and goes on afterwards",
  { skip: skipOwn },
  async (t) => {
    const { write, records, freeze, thaw } = await withWriters(t, startOwnPostgres);
    const trail = new Trail("a.1");
    const first = trail.rows(2);
    const after = trail.head;
    const rows = trail.rows(2);
    const writer = await write("a.1");
    await writer.append(first, undefined);
    freeze();
    // All that wait on the connection end with the first one that got no answer.
    await Promise.all([
      t.rejects(told(writer.append(rows, after)), { ...passing, message: /read timeout/ }),
      t.rejects(told(writer.claim("b.1")), passing),
    ]);
    await t.rejects(told(writer.append(rows, after)), { ...passing, message: /timeout expired/ });
    const connecting = t.rejects(writer.append(rows, after));
    await writer.close();
    await connecting;
    thaw();
    await eventually("the repeat", () => works(writer.append(rows, after)));
    t.equal(await records(), 4, "once each, also if the server did the first try after all");
    await eventually("the claim, which is not half done", () => writer.claim("b.1"));
  },
);

t.test("a server that goes away is found again", { skip: skipOwn }, async (t) => {
  const { write, records, stop, start } = await withWriters(t, startOwnPostgres);
  const trail = new Trail("a.1");
  const writer = await write("a.1");
  for (const how of ["fast", "immediate"] as const) {
    const after = trail.head;
    const rows = trail.rows(2);
    await stop(how);
    for (const _ of "12") await t.rejects(told(writer.append(rows, after)), passing, how);
    await start();
    await writer.append(rows, after);
  }
  t.equal(await records(), 4);
});

t.test("a stream is claimed once, and only when its process is dead", { skip }, async (t) => {
  const { write } = await withWriters(t, startPostgres);
  const [alive, one, other] = [await write("a.1"), await write("b.1"), await write("c.1")];
  t.equal(await one.claim("b.1"), false, "the own one");
  t.equal(await one.claim("a.1"), false, "one that lives");
  await alive.close();
  t.strictSame(await Promise.all([one.claim("a.1"), one.claim("a.1")]), [true, false], "not twice by itself");
  t.equal(await other.claim("a.1"), false, "another one cares");
  await one.release("a.1");
  await one.release("a.1");
  await other.release("a.1");
  t.equal(await other.claim("a.1"), true);
  await other.close();
  t.equal(await one.claim("a.1"), true, "an end lets go");
});

t.test("a claim ends with its connection", { skip }, async (t) => {
  const { write, kill } = await withWriters(t, startPostgres);
  const [one, other] = [await write("a.1"), await write("b.1")];
  t.equal(await one.claim("c.1"), true);
  await kill();
  await eventually("the claim by another one", () => other.claim("c.1").catch(() => false));
  await eventually("a new connection", () => works(one.append(new Trail("a.1").rows(1), undefined)));
  await one.release("c.1");
  t.equal(await one.claim("c.1"), false, "letting go of what was lost takes nothing from the other one");
});

t.test("who connects again takes the lock of its stream again", { skip }, async (t) => {
  const { url, write, kill } = await withWriters(t, startPostgres);
  const [writer, other] = [await write("a.1"), await write("b.1")];
  // A connection in whose end the server does not believe yet.
  const old = await hold(t, url, `SELECT pg_advisory_lock_shared(${streamLock("a.1")})`);
  await kill();
  const rows = new Trail("a.1").rows(1);
  await eventually("the append", () => works(writer.append(rows, undefined)));
  await old.query("SELECT pg_advisory_unlock_all()");
  await eventually("a new connection", () => works(other.append(new Trail("b.1").rows(1), undefined)));
  t.equal(await other.claim("a.1"), false);
});

t.test(
  "who comes back while another one cares for its stream waits for the end of that",
  { skip },
  async (t) => {
    const { write, kill, records } = await withWriters(t, startPostgres);
    const [writer, other] = [await write("a.1"), await write("b.1")];
    await kill();
    await eventually("the claim", () => other.claim("a.1").catch(() => false));
    const rows = new Trail("a.1").rows(1);
    await eventually("the wait for the lock", () => refusal(writer.append(rows, undefined), /lock timeout/));
    t.equal(await records(), 0);
    await other.release("a.1");
    await writer.append(rows, undefined);
    t.equal(await records(), 1);
  },
);

t.test("closing before there is a connection, and after one that failed", async (t) => {
  const never = new PostgresWriter(new PostgresServer({ url: "postgres://u@127.0.0.1:1/audit" }), "a.1");
  await never.close();
  const opening = t.rejects(never.open(), { code: "ECONNREFUSED" });
  await never.close();
  await opening;
  t.match(streamLock("a.1"), /^-?\d+$/);
  t.not(streamLock("a.1"), streamLock("a.2"));
});
