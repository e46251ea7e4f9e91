import { Client } from "pg";
import t from "tap";
import { migratePostgres } from "../../../src/audit/postgres/migrate.ts";
import { ownersDamageQuery, ownersOfQuery, ownersQuery } from "../../../src/audit/postgres/owners.ts";
import type { Query } from "../../../src/audit/postgres/queries.ts";
import { openPostgresStore } from "../../../src/audit/postgres/store.ts";
import type { AppOwner, Row } from "../../../src/audit/store.ts";
import { verify } from "../../../src/audit/verify/verify.ts";
import type { Teardown } from "../../helpers/gateway.ts";
import { skip, startPostgres } from "../../helpers/postgres.ts";
import { Trail } from "../rows.ts";

/** A database, how rows get there, and how somebody edits the owners. */
async function withOwners(t: Teardown) {
  const { url, query } = await startPostgres(t);
  await migratePostgres({ url });
  const append = (rows: readonly Row[]) =>
    query("SELECT audit_append($1, NULL, NULL)", [JSON.stringify(rows)]);
  const damage = async () => (await query<{ line: string }>(ownersDamageQuery.text)).map(({ line }) => line);
  const edit = (sql: string) =>
    query(`ALTER TABLE app_owner DISABLE TRIGGER ALL; ${sql}; ALTER TABLE app_owner ENABLE ALWAYS TRIGGER audit_refuse;
      ALTER TABLE app_owner ENABLE ALWAYS TRIGGER audit_refuse_truncate`);
  return { url, query, append, damage, edit };
}

/** An app of billing, one that went from there to crm, and one that was taken from it. */
function someOwners(): Row[] {
  const trail = new Trail("a.1");
  return [
    trail.created("1", "billing"),
    trail.created("2", "billing"),
    trail.ownerChange("2", "billing", "crm"),
    trail.created("3", "billing"),
    trail.ownerChange("3", "billing", ""),
    trail.ownerChange("2", "billing", "shop"),
  ];
}

t.test("an owner that somebody edited is told, with the record that it names", { skip }, async (t) => {
  const { query, append, damage, edit } = await withOwners(t);
  await append(someOwners());
  t.strictSame(await damage(), []);
  await query("CREATE TABLE kept AS SELECT * FROM app_owner");
  const edits: readonly (readonly [string, readonly string[]])[] = [
    [
      "UPDATE app_owner SET owner = 'mallory' WHERE api_app_id = '1'",
      ['app_owner: 1 belongs to "mallory", but a.1:1, which it names, does not say so'],
    ],
    [
      "UPDATE app_owner SET owner = 'mallory' WHERE api_app_id = '3'",
      ['app_owner: 3 belongs to "mallory", but a.1:5, which it names, does not say so'],
    ],
    [
      "UPDATE app_owner SET since = since + 1, position = 77 WHERE api_app_id = '2'",
      ['app_owner: 2 belongs to "crm", but a.1:3, which it names, does not say so'],
    ],
    [
      "UPDATE app_owner SET (owner, since, seq, position) = (SELECT caller, time, seq, position FROM audit_record WHERE seq = 2) WHERE api_app_id = '2'",
      [
        'app_owner: 2 belongs to "billing", but a.1:3 changed that',
        'app_owner: 2 belongs to "billing", but a.1:6 changed that',
      ],
    ],
    [
      "DELETE FROM app_owner WHERE api_app_id = '1'",
      ['app_owner: 1 is not there, but a.1:1 says that "billing" owns it'],
    ],
    [
      "INSERT INTO app_owner VALUES ('9', 'mallory', 0, 'a.1', 77, 77)",
      ['app_owner: 9 belongs to "mallory", but a.1:77, which it names, does not say so'],
    ],
    ["INSERT INTO app_owner VALUES ('9', 'mallory', 0, 'gone.1', 1, 1)", []],
  ];
  for (const [sql, lines] of edits) {
    await edit(sql);
    t.strictSame(await damage(), lines, sql);
    await edit("DELETE FROM app_owner; INSERT INTO app_owner SELECT * FROM kept");
    t.strictSame(await damage(), []);
  }
});

t.test("verify tells of it, and the store answers what stands there", { skip }, async (t) => {
  const { url, append, edit } = await withOwners(t);
  await append(someOwners());
  await edit("UPDATE app_owner SET owner = 'mallory' WHERE api_app_id = '1'");
  const store = await openPostgresStore({ url }, {});
  t.teardown(() => store.close());
  t.match((await verify(store)).faults, [{ kind: "damaged", first: { what: /^app_owner: 1 belongs/ } }]);
  t.strictSame(await store.ownersOf(["1"]), new Map([["1", "mallory"]]));
});

t.test("looking up costs what is asked for, not what is owned", { skip }, async (t) => {
  const { url, query, append, damage } = await withOwners(t);
  const trail = new Trail("a.1");
  const client = new Client({ connectionString: url });
  t.teardown(() => client.end());
  await client.connect();
  const ask = async ({ name, text, values }: Query) =>
    (await client.query<AppOwner>({ ...(name && { name }), text, values: [...values] })).rows;
  const fill = async (from: number, to: number) => {
    for (let at = from; at < to; at += 500)
      await append(
        Array.from({ length: Math.min(500, to - at) }, (_, i) => trail.created(`app-${at + i}`, "billing")),
      );
  };
  const wanted = ownersOfQuery(Array.from({ length: 100 }, (_, at) => `app-${at * 9}`));
  const lookups = async () => {
    const times: number[] = [];
    for (let turn = 0; turn < 200; turn++) {
      const startedAt = performance.now();
      if ((await ask(wanted)).length !== 100) throw new Error("owners are missing");
      times.push(performance.now() - startedAt);
    }
    return times.sort((one, other) => one - other)[100] ?? 0;
  };
  await fill(0, 1_000);
  const few = await lookups();
  await fill(1_000, 20_000);
  // The rest only as rows: to make their records takes most of the time.
  await query(`ALTER TABLE app_owner DISABLE TRIGGER ALL;
    INSERT INTO app_owner SELECT 'more-' || n, 'crm', 0, 'gone.1', n, -n FROM generate_series(1, 80000) AS n`);
  const many = await lookups();
  t.comment(`100 owners of 1,000: ${few.toFixed(2)} ms; of 100,000: ${many.toFixed(2)} ms`);
  t.ok(many < 10 * few + 20, "a hundred times as many would take a hundred times as long");
  const explain = async ({ text, values }: Query) =>
    (await client.query<{ "QUERY PLAN": string }>(`EXPLAIN ${text}`, [...values])).rows
      .map((row) => row["QUERY PLAN"])
      .join("\n");
  await query("ANALYZE app_owner");
  for (const asked of [wanted, ownersQuery({ limit: 500 }), ownersQuery({ owner: "billing", limit: 500 })])
    t.notMatch(await explain(asked), /Seq Scan/, asked.text);
  t.equal((await ask(ownersQuery({ owner: "billing", after: "app-99", limit: 500 }))).length, 110);
  t.strictSame(await damage(), []);
});
