import t from "tap";
import {
  migratePostgres,
  prepare,
  requireServer,
  requireTrail,
} from "../../../src/audit/postgres/migrate.ts";
import { onConnection, PostgresServer } from "../../../src/audit/postgres/server.ts";
import { openPostgresStore } from "../../../src/audit/postgres/store.ts";
import { skip, skipOwn, startOwnPostgres, startPostgres } from "../../helpers/postgres.ts";

/** Every object of the schema and its version, to see whether anything was changed. */
const everything = `SELECT oid::text, relname AS name, (SELECT xmin::text FROM pg_class AS c WHERE c.oid = o.oid) AS xmin
  FROM pg_class AS o WHERE relname ~ '^audit' UNION ALL SELECT oid::text, proname, xmin::text FROM pg_proc
  WHERE proname ~ '^audit' UNION ALL SELECT '', version::text, xmin::text FROM audit_meta ORDER BY 1, 2`;

t.test("an empty database gets the schema, one that has it is left alone", { skip }, async (t) => {
  const { url, query } = await startPostgres(t);
  const server = new PostgresServer({ url });
  await t.rejects(onConnection(server, "reader", requireTrail), {
    name: "StoreError",
    permanent: true,
    message: /no audit trail: nothing was ever stored here/,
  });
  t.strictSame(
    await query("SELECT relname FROM pg_class WHERE relname ~ '^audit'"),
    [],
    "looking changes nothing",
  );
  t.strictSame(await migratePostgres({ url }), { from: 0, to: 2 });
  const made = await query(everything);
  t.strictSame(await migratePostgres({ url }), { from: 2, to: 2 });
  t.strictSame(await query(everything), made);
  await onConnection(server, "reader", requireTrail);

  await onConnection(server, "maintenance", prepare);
  const prepared = await query(everything);
  t.not(prepared.length, made.length, "the months to come have partitions now");
  await onConnection(server, "maintenance", prepare);
  t.strictSame(await query(everything), prepared);

  await query("UPDATE audit_meta SET version = 1");
  await t.rejects(onConnection(server, "reader", requireTrail), {
    name: "StoreError",
    permanent: true,
    message: /its schema is of an older version: .*run `audit migrate`$/,
  });
});

t.test("this and the next two months get partitions", { skip }, async (t) => {
  const { url, query } = await startPostgres(t);
  const [before] = await query<{ now: Date }>("SELECT now()");
  await onConnection(new PostgresServer({ url }), "maintenance", prepare);
  const parts = await query<{ name: string }>(
    "SELECT relname AS name FROM pg_inherits JOIN pg_class ON oid = inhrelid WHERE relkind = 'r' ORDER BY 1",
  );
  const now = new Date(String(before?.now));
  const month = (ahead: number) =>
    new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() + ahead))
      .toISOString()
      .slice(0, 7)
      .replace("-", "_");
  t.strictSame(
    parts.map(({ name }) => name),
    [0, 1, 2].map((ahead) => `audit_record_${month(ahead)}`),
  );
});

t.test("many replicas that start at once on an empty database", { skip }, async (t) => {
  for (let round = 1; round <= 4; round++) {
    const { url, query } = await startPostgres(t);
    const stores = await Promise.all(
      Array.from({ length: 8 }, (_, replica) => openPostgresStore({ url }, { stream: `replica.${replica}` })),
    );
    t.strictSame(await query("SELECT version FROM audit_meta"), [{ version: 2 }], `round ${round}`);
    for (const store of stores) t.strictSame(await store.damage(), []);
    for (const store of stores) await store.close();
  }
});

t.test("a schema that is newer than the program is left alone", { skip }, async (t) => {
  const { url, query } = await startPostgres(t);
  await migratePostgres({ url });
  await query("UPDATE audit_meta SET version = 99");
  const newer = {
    name: "StoreError",
    permanent: true,
    message: /its schema 99 is newer than this program, .* knows 2/,
  };
  await t.rejects(openPostgresStore({ url }, { stream: "a.1" }), newer);
  await t.rejects(openPostgresStore({ url }, {}), newer);
  await t.rejects(migratePostgres({ url }), newer);
  t.strictSame(await query("SELECT version FROM audit_meta"), [{ version: 99 }]);
});

t.test("a role that may not set up the schema is told who may", { skip: skipOwn }, async (t) => {
  const { query, urlFor } = await startOwnPostgres(t);
  await query("REVOKE CREATE ON SCHEMA public FROM PUBLIC");
  await query("CREATE ROLE guest LOGIN PASSWORD 'secret'");
  const url = urlFor("guest", "secret");
  const refused = {
    name: "StoreError",
    permanent: true,
    message: /run `audit migrate` with the role that is to own it \(permission denied/,
  };
  await t.rejects(openPostgresStore({ url }, { stream: "a.1" }), refused);
  await t.rejects(migratePostgres({ url }), refused);
});

t.test("what else goes wrong is told as it is", { skip }, async (t) => {
  const { url, query } = await startPostgres(t);
  await query("CREATE TABLE audit_record (theirs integer)");
  await t.rejects(migratePostgres({ url }), {
    permanent: true,
    message: /^migrating at .*relation "audit_record" already exists/,
  });
  const [left] = await query("SELECT to_regclass('audit_meta') AS meta");
  t.strictSame(left, { meta: null }, "all of the schema or nothing");
});

t.test("functions do not look where others can put things in their way", { skip }, async (t) => {
  const { url, query } = await startPostgres(t);
  await query("CREATE SCHEMA elsewhere");
  const own = new URL(url);
  own.searchParams.set("options", "-c search_path=elsewhere,public");
  await migratePostgres({ url: own.href });
  const functions = await query<{ config: string[] }>(
    "SELECT proconfig AS config FROM pg_proc WHERE proname ~ '^audit_(append|ensure|drop|own)' AND pronamespace = 'elsewhere'::regnamespace",
  );
  t.equal(functions.length, 4);
  for (const { config } of functions) t.ok(config.includes("search_path=elsewhere, pg_temp"), config.join());
});

t.test("servers that are too old are refused", async (t) => {
  requireServer(130_000);
  requireServer(180_001);
  t.throws(() => requireServer(120_022), {
    name: "StoreError",
    permanent: true,
    message: "PostgreSQL 12 is too old; 13 is the oldest that will do",
  });
});
