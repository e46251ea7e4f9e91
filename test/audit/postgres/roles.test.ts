import { readFileSync } from "node:fs";
import { Client } from "pg";
import t from "tap";
import { migratePostgres } from "../../../src/audit/postgres/migrate.ts";
import { openPostgresStore } from "../../../src/audit/postgres/store.ts";
import type { Page, Row } from "../../../src/audit/store.ts";
import { skipOwn, startOwnPostgres } from "../../helpers/postgres.ts";
import { linkOf, Trail } from "../rows.ts";

const document = readFileSync(new URL("../../../docs/postgresql.md", import.meta.url), "utf8");
/** The statements of each block of SQL in the document. */
const blocks = [...document.matchAll(/```sql\n([\s\S]*?)```/g)].map(([, sql = ""]) =>
  sql.split(/;\s*\n/).filter((statement) => statement.trim() !== ""),
);

/** Runs the statements one by one, as psql does. */
async function run(url: string, statements: readonly string[]): Promise<void> {
  const client = new Client({ connectionString: url });
  try {
    await client.connect();
    for (const statement of statements) await client.query(statement);
  } finally {
    await client.end();
  }
}

const newest: Page = { order: "newest_first", limit: 100 };
const month = "audit_record_2027_03";
const permission = { code: "42501" };
const permanent = { name: "StoreError", permanent: true };

t.test("the roles of docs/postgresql.md, made by its SQL", { skip: skipOwn }, async (t) => {
  const server = await startOwnPostgres(t);
  const [asSuperuser = [], asOwner = [], ...more] = blocks;
  t.strictSame(more, []);
  await run(server.url, asSuperuser);
  const urlOf = (role: string) => {
    const url = new URL(server.urlFor(`coze_audit_${role}`, `change-me-${role}`));
    url.pathname = "/coze_audit";
    return url.href;
  };
  const as = (role: string, sql: string) => run(urlOf(role), [sql]);
  const ownedBy = (url: string) => openPostgresStore({ url }, { stream: `${new URL(url).username}.1` });

  await t.test("the gateway does not start before the owner has set up the schema", async (t) => {
    await t.rejects(ownedBy(urlOf("gateway")), { ...permanent, message: /run `audit migrate`/ });
    t.strictSame(await migratePostgres({ url: urlOf("owner") }), { from: 0, to: 2 });
    await run(urlOf("owner"), asOwner);
  });

  const trail = new Trail("coze_audit_gateway.1");
  await t.test("the gateway records, reads, and takes over what the dead left", async (t) => {
    const dead = await openPostgresStore({ url: urlOf("gateway") }, { stream: "dead.1" });
    await dead.append([new Trail("dead.1").attempt("r1")], undefined);
    await dead.close();
    const store = await ownedBy(urlOf("gateway"));
    t.teardown(() => store.close());
    const rows = trail.rows(3, { caller: "billing" });
    await store.append(rows, undefined);
    await store.append(trail.rows(1, { time: Date.parse("2027-04-01T00:00:00Z") }), linkOf(rows[2] as Row));
    t.equal((await store.find({ caller: "billing" }, newest)).length, 4);
    t.equal((await store.find({ from: 0 }, newest)).length, 5);
    t.equal((await store.chain(undefined, 10)).length, 5);
    t.equal((await store.heads()).length, 2);
    t.equal(await store.claim("dead.1"), true);
    t.equal((await store.unfinished("dead.1", 0)).length, 1);
    await store.release("dead.1");
    t.match(await store.prunable("2027-04"), { records: 4 });
    const command = new Trail("coze_audit_command.1");
    const beside = await openPostgresStore(
      { url: urlOf("gateway") },
      { stream: "coze_audit_command.1", beside: true },
    );
    t.teardown(() => beside.close());
    const april = { time: Date.parse("2027-04-02T00:00:00Z") };
    await beside.append(
      [command.created("7", "billing", april), command.ownerChange("7", "billing", "crm", april)],
      undefined,
    );
    t.strictSame(await store.ownersOf(["7"]), new Map([["7", "crm"]]));
    t.strictSame(await store.damage(), []);
    await t.rejects(store.remove(["2027-03"]), {
      name: "StoreError",
      permanent: true,
      message:
        /run `audit prune` with the owner's role \(permission denied for function audit_drop_segment\)/,
    });
  });

  const copy = "stream, segment, time, kind, logids, text, hash";
  const changes = [
    "UPDATE audit_record SET caller = NULL",
    `UPDATE ${month} SET caller = NULL`,
    "DELETE FROM audit_record",
    `DELETE FROM ${month}`,
    "TRUNCATE audit_record",
    `TRUNCATE ${month}`,
    "DROP TABLE audit_record",
    `DROP TABLE ${month}`,
    `ALTER TABLE audit_record DETACH PARTITION ${month}`,
    "ALTER TABLE audit_record DISABLE TRIGGER audit_refuse",
    `ALTER TABLE ${month} DISABLE TRIGGER ALL`,
    "ALTER TABLE audit_record ADD COLUMN extra text",
    "ALTER TABLE audit_record OWNER TO CURRENT_USER",
    "DROP TRIGGER audit_refuse ON audit_record",
    "CREATE OR REPLACE FUNCTION audit_refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
    "DROP FUNCTION audit_refuse() CASCADE",
    "CREATE RULE hide AS ON INSERT TO audit_record DO INSTEAD NOTHING",
    "UPDATE app_owner SET owner = 'mallory'",
    "DELETE FROM app_owner",
    "TRUNCATE app_owner",
    "INSERT INTO app_owner VALUES ('1', 'mallory', 0, 'a.1', 1, 1)",
    "ALTER TABLE app_owner DISABLE TRIGGER ALL",
    "DROP TABLE app_owner",
    "DROP TRIGGER audit_own ON audit_record",
    "CREATE OR REPLACE FUNCTION audit_own() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
    "CREATE FUNCTION audit_other() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
    "SELECT audit_drop_segment('2027-03')",
    "SELECT setval('audit_position', 1)",
    "ALTER SEQUENCE audit_position RESTART",
    "UPDATE audit_meta SET version = 0",
    "SET session_replication_role = replica",
    "SET ROLE coze_audit_owner",
    "CREATE TABLE public.other (x integer)",
    `INSERT INTO ${month} (seq, ${copy}) SELECT seq + 100, ${copy} FROM audit_record`,
    `INSERT INTO audit_record (position, seq, ${copy}) SELECT 1, seq + 100, ${copy} FROM audit_record`,
  ];

  await t.test("the gateway cannot change or remove anything", async (t) => {
    for (const change of changes) await t.rejects(as("gateway", change), permission, change);
  });

  await t.test("the auditor only reads", async (t) => {
    const store = await openPostgresStore({ url: urlOf("reader") }, {});
    t.teardown(() => store.close());
    t.equal((await store.find({ to: Date.parse("2027-12-31T00:00:00Z") }, newest)).length, 7);
    t.equal((await store.chain(undefined, 10)).length, 7);
    t.equal((await store.heads()).length, 3);
    t.match(await store.owners({ limit: 9 }), [{ api_app_id: "7", owner: "crm" }]);
    t.strictSame(await store.damage(), []);
    for (const change of changes) await t.rejects(as("reader", change), permission, change);
    for (const addition of [
      `INSERT INTO audit_record (seq, ${copy}) SELECT seq + 100, ${copy} FROM audit_record`,
      "SELECT audit_append('[]', NULL, NULL)",
      "SELECT audit_ensure_segment('2027-09')",
      "SELECT nextval('audit_position')",
    ]) {
      await t.rejects(as("reader", addition), permission, addition);
    }
    await t.rejects(openPostgresStore({ url: urlOf("reader") }, { stream: "a.1" }), {
      ...permanent,
      message: /permission/,
    });
  });

  await t.test("the owner cannot change records either, but removes months", async (t) => {
    for (const change of changes.slice(0, 6))
      await t.rejects(as("owner", change), /not changed or removed/, change);
    const store = await ownedBy(urlOf("owner"));
    t.teardown(() => store.close());
    t.equal(await store.remove(["2027-03"]), 4);
    t.equal((await store.find({}, newest)).length, 3);
    t.strictSame(await store.ownersOf(["7"]), new Map([["7", "crm"]]));
  });

  await t.test("nobody else gets in", async (t) => {
    await server.query("CREATE ROLE stranger LOGIN PASSWORD 'change-me-stranger'");
    const url = new URL(server.urlFor("stranger", "change-me-stranger"));
    url.pathname = "/coze_audit";
    await t.rejects(run(url.href, ["SELECT 1"]), permission);
  });
});
