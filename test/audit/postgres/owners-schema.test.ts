import { Client } from "pg";
import t from "tap";
import { migratePostgres } from "../../../src/audit/postgres/migrate.ts";
import { ownersSchema } from "../../../src/audit/postgres/owners-schema.ts";
import { migrations } from "../../../src/audit/postgres/schema.ts";
import { openPostgresStore } from "../../../src/audit/postgres/store.ts";
import type { Row } from "../../../src/audit/store.ts";
import { verify } from "../../../src/audit/verify/verify.ts";
import { eventually } from "../../config/eventually.ts";
import type { Teardown } from "../../helpers/gateway.ts";
import { skip, startPostgres, type TestPostgres } from "../../helpers/postgres.ts";
import { start, Trail } from "../rows.ts";

/** What a replica of the first version sends: it knows nothing of the columns that came later. */
function ofFirstVersion(rows: readonly Row[]): string {
  return JSON.stringify(rows.map(({ credential_id, owner, previous_owner, ...row }) => row));
}

const append = "SELECT audit_append($1, NULL, NULL)";

/** A database as the first version of the gateway left it. */
async function oldDatabase(t: Teardown): Promise<TestPostgres> {
  const postgres = await startPostgres(t);
  const client = new Client({ connectionString: postgres.url });
  try {
    await client.connect();
    await client.query("SET search_path = public, pg_temp");
    await client.query(String(migrations[0]));
  } finally {
    await client.end();
  }
  return postgres;
}

const old = { owner: undefined };

t.test("a trail of the first version is brought to the second with all that it says", { skip }, async (t) => {
  const { url, query } = await oldDatabase(t);
  const trail = new Trail("a.1");
  const attempt = trail.attempt("r1");
  const april = { time: Date.parse("2027-04-01T00:00:00Z") };
  const rows = [
    attempt,
    trail.outcome(attempt, { credential_id: "0123456789abcdef" }),
    trail.created("1", "billing", { ...old, credential_id: "bbbbbbbbbbbbbbbb" }),
    trail.created("2", "crm", old),
    trail.created("3", "crm", { ...old, outcome: "unknown" }),
    trail.created("4", "crm", { ...old, api_app_id: undefined }),
    trail.created("5", "crm", { ...old, caller: undefined }),
    trail.created("2", "mallory", { ...old, ...april }),
    trail.created("6", "crm", { ...old, ...april, credential_id: "bbbbbbbbbbbbbbbb" }),
  ];
  await query(append, [ofFirstVersion(rows)]);
  // Somebody put something else in place of a record; that is for `audit verify` to find.
  await query(`INSERT INTO audit_record (stream, seq, segment, time, kind, logids, text, hash)
    VALUES ('z.1', 1, '2027-03', 0, 'alive', '{}', 'no JSON "credential_id":"', 'x')`);
  t.strictSame(await migratePostgres({ url }), { from: 1, to: 2 });

  const store = await openPostgresStore({ url }, { stream: "b.1" });
  t.teardown(() => store.close());
  t.match((await verify(store)).faults, [{ kind: "altered", count: 1, first: { id: "z.1:1" } }]);
  t.equal((await verify(store)).faults.length, 1);
  t.strictSame(await store.owners({ limit: 9 }), [
    { api_app_id: "1", owner: "billing", since: start + 2000, stream: "a.1", seq: 3 },
    { api_app_id: "2", owner: "crm", since: start + 3000, stream: "a.1", seq: 4 },
    { api_app_id: "6", owner: "crm", since: april.time, stream: "a.1", seq: 9 },
  ]);
  const page = { order: "oldest_first", limit: 9 } as const;
  const found = await store.find({ credential_id: "bbbbbbbbbbbbbbbb" }, page);
  t.strictSame(
    found.map(({ seq }) => seq),
    [3, 9],
  );
  t.equal((await store.find({ credential_id: "0123456789abcdef" }, page)).length, 2);
  await t.rejects(query("UPDATE audit_record SET caller = NULL"), /not changed or removed/);
});

t.test("a replica of the first version goes on while others are updated", { skip }, async (t) => {
  const { url } = await oldDatabase(t);
  const replica = new Client({ connectionString: url });
  t.teardown(() => replica.end());
  await replica.connect();
  const trail = new Trail("old.1");
  const store = async (rows: readonly Row[]) =>
    replica.query({ name: "append", text: append, values: [ofFirstVersion(rows)] });
  await store([trail.attempt("r1")]);
  await migratePostgres({ url });
  await store([trail.attempt("r2"), trail.created("7", "billing", old)]);
  await store([trail.created("8", "crm", { ...old, time: Date.parse("2027-06-01T00:00:00Z") })]);
  const reader = await openPostgresStore({ url }, {});
  t.teardown(() => reader.close());
  t.strictSame((await verify(reader)).faults, [], "its columns say what its records say");
  t.strictSame(
    await reader.ownersOf(["7", "8"]),
    new Map([
      ["7", "billing"],
      ["8", "crm"],
    ]),
  );
  t.equal(
    (await reader.find({ credential_id: "0123456789abcdef" }, { order: "oldest_first", limit: 9 })).length,
    2,
  );
});

t.test("who could read or add still can, and nobody else", { skip }, async (t) => {
  const { name, url, query } = await oldDatabase(t);
  const [adds, reads, other] = ["adds", "reads", "other"].map((role) => `${name}_${role}`);
  await query(`CREATE ROLE ${adds}; CREATE ROLE ${reads}; CREATE ROLE ${other};
    GRANT SELECT ON audit_record TO ${adds}, ${reads}; GRANT UPDATE ON audit_record TO ${other};
    GRANT INSERT (stream, seq, segment, time, kind, logids, text, hash) ON audit_record TO ${adds}`);
  t.teardown(async () => {
    for (const role of [adds, reads, other]) await query(`DROP OWNED BY ${role}; DROP ROLE ${role}`);
  });
  await migratePostgres({ url });
  const may = async (role: string | undefined) =>
    Object.values(
      (
        await query(`SELECT has_table_privilege('${role}', 'app_owner', 'SELECT'),
          has_table_privilege('${role}', 'app_owner', 'INSERT, UPDATE, DELETE, TRUNCATE') AS change,
          has_column_privilege('${role}', 'audit_record', 'credential_id', 'INSERT') AS credential,
          has_column_privilege('${role}', 'audit_record', 'owner', 'INSERT') AS owner,
          has_column_privilege('${role}', 'audit_record', 'previous_owner', 'INSERT') AS previous,
          has_column_privilege('${role}', 'audit_record', 'position', 'INSERT') AS position`)
      )[0] ?? {},
    );
  t.strictSame(await may(adds), [true, false, true, true, true, false]);
  t.strictSame(await may(reads), [true, false, false, false, false, false]);
  t.strictSame(await may(other), [false, false, false, false, false, false]);
});

t.test("every month keeps owners, also one that was attached long after", { skip }, async (t) => {
  const { url, query } = await startPostgres(t);
  await migratePostgres({ url });
  const trail = new Trail("a.1");
  const months = ["2027-03", "2027-04", "2031-12"];
  for (const month of months) {
    const time = Date.parse(`${month}-15T00:00:00Z`);
    await query(append, [JSON.stringify([trail.created(month, "billing", { time })])]);
  }
  const triggers = await query(`SELECT tgrelid::regclass::text AS part, tgenabled AS enabled, tgtype AS type
    FROM pg_trigger WHERE tgname = 'audit_own' ORDER BY 1`);
  t.strictSame(
    triggers,
    ["audit_record", "audit_record_2027_03", "audit_record_2027_04", "audit_record_2031_12"].map((part) => ({
      part,
      enabled: "O",
      type: 5,
    })),
  );
  t.strictSame(
    (await query("SELECT api_app_id FROM app_owner ORDER BY 1")).map((row) => row["api_app_id"]),
    months,
  );
});

t.test("owners are changed by records only, by their owner neither", { skip }, async (t) => {
  const { url, query } = await startPostgres(t);
  await migratePostgres({ url });
  await query(append, [JSON.stringify([new Trail("a.1").created("1", "billing")])]);
  for (const sql of [
    "UPDATE app_owner SET owner = 'mallory'",
    "UPDATE app_owner SET owner = 'mallory' WHERE false",
    "DELETE FROM app_owner",
    "TRUNCATE app_owner",
    "INSERT INTO app_owner VALUES ('2', 'mallory', 0, 'a.1', 1, 1)",
    "INSERT INTO app_owner SELECT * FROM app_owner ON CONFLICT (api_app_id) DO UPDATE SET owner = 'mallory'",
    "SET session_replication_role = replica; DELETE FROM app_owner",
  ])
    await t.rejects(query(sql), /not changed or removed/, sql);
  t.match(await query("SELECT * FROM app_owner"), [{ api_app_id: "1", owner: "billing" }]);
});

t.test("of replicas that give one app away at once, one does", { skip }, async (t) => {
  const { url } = await startPostgres(t);
  const replicas = Array.from({ length: 6 }, (_, at) => `caller-${at}`);
  const stores = await Promise.all(
    replicas.map(async (replica) => {
      const store = await openPostgresStore({ url }, { stream: `${replica}.1` });
      t.teardown(() => store.close());
      return store;
    }),
  );
  const trails = replicas.map((replica) => new Trail(`${replica}.1`));
  let owner = "";
  for (let round = 0; round < 10; round++) {
    await Promise.all(
      stores.map((store, at) => {
        const after = trails[at]?.head;
        const row = trails[at]?.ownerChange("1", owner, `caller-${at}.round-${round}`) as Row;
        return store.append([row], after);
      }),
    );
    const found = await Promise.all(stores.map((store) => store.owners({ limit: 9 })));
    const [[said] = []] = found;
    for (const each of found) t.strictSame(each, [said], "all see the same");
    t.equal(said?.owner, `${said?.stream.slice(0, -2)}.round-${round}`, "its record is of that replica");
    const rows = (await stores[0]?.find({ api_app_id: "1" }, { order: "oldest_first", limit: 99 })) ?? [];
    const winner = rows.slice(-replicas.length).find(({ previous_owner }) => previous_owner === owner);
    t.equal(said?.owner, winner?.owner, "the first in the order of the trail");
    owner = said?.owner ?? "";
  }
  t.strictSame(await stores[0]?.damage(), []);
});

t.test("an owner can be seen when its record can, and not before", { skip }, async (t) => {
  const { url, query } = await startPostgres(t);
  await migratePostgres({ url });
  await query("SELECT audit_ensure_segment('2027-03')");
  const writer = new Client({ connectionString: url });
  writer.on("error", () => {});
  await writer.connect();
  await writer.query("BEGIN");
  await writer.query(append, [JSON.stringify([new Trail("a.1").created("1", "billing")])]);
  const seen = () =>
    query("SELECT (SELECT count(*) FROM app_owner)::int + (SELECT count(*) FROM audit_record)::int AS n");
  t.strictSame(await seen(), [{ n: 0 }]);
  // The process dies before its commit.
  writer.connection.stream.destroy();
  await eventually("the end of its transaction", async () => {
    const waiting = await query(
      "SELECT FROM pg_stat_activity WHERE state = 'idle in transaction' AND datname = current_database()",
    );
    return waiting.length === 0;
  });
  t.strictSame(await seen(), [{ n: 0 }]);
  await query(append, [JSON.stringify([new Trail("a.1").created("1", "billing")])]);
  t.strictSame(await seen(), [{ n: 2 }]);
});

t.test("it is the second of the migrations", async (t) => {
  t.equal(migrations[1], ownersSchema);
});
