import t from "tap";
import { damageQuery } from "../../../src/audit/postgres/damage.ts";
import { migratePostgres } from "../../../src/audit/postgres/migrate.ts";
import type { Teardown } from "../../helpers/gateway.ts";
import { skip, startPostgres } from "../../helpers/postgres.ts";

/** A database with a month, and what is found wrong with it. */
async function withMonth(t: Teardown) {
  const { url, query } = await startPostgres(t);
  await migratePostgres({ url });
  await query("SELECT audit_ensure_segment('2027-03')");
  const damage = async () => (await query<{ line: string }>(damageQuery.text)).map(({ line }) => line);
  return { query, damage };
}

const month = "audit_record_2027_03";

t.test("a store as it was set up has no damage", { skip }, async (t) => {
  const { damage } = await withMonth(t);
  t.strictSame(await damage(), []);
});

t.test("changes that are not refused any more are damage", { skip }, async (t) => {
  const { query, damage } = await withMonth(t);
  const line = (table: string) =>
    `${table}: changes are not refused, its trigger audit_refuse is missing or disabled`;
  for (const table of ["audit_record", month]) {
    for (const weaker of ["DISABLE", "ENABLE", "ENABLE REPLICA"]) {
      await query(`ALTER TABLE ONLY ${table} ${weaker} TRIGGER audit_refuse`);
      t.strictSame(await damage(), [line(table)], `${weaker} ${table}`);
      await query(`ALTER TABLE ONLY ${table} ENABLE ALWAYS TRIGGER audit_refuse`);
      t.strictSame(await damage(), []);
    }
  }
  await query("CREATE FUNCTION allow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'");
  const others = [
    "BEFORE UPDATE OR DELETE OR TRUNCATE ON {} FOR EACH STATEMENT EXECUTE FUNCTION allow()",
    "BEFORE UPDATE OR TRUNCATE ON {} FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse()",
    "AFTER UPDATE OR DELETE OR TRUNCATE ON {} FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse()",
  ];
  for (const other of others) {
    await query(`DROP TRIGGER audit_refuse ON ${month}`);
    t.strictSame(await damage(), [line(month)]);
    await query(`CREATE TRIGGER audit_refuse ${other.replace("{}", month)}`);
    await query(`ALTER TABLE ${month} ENABLE ALWAYS TRIGGER audit_refuse`);
    t.strictSame(await damage(), [line(month)], other);
  }
});

t.test("owners that are not kept any more are damage", { skip }, async (t) => {
  const { query, damage } = await withMonth(t);
  const line = (table: string) =>
    `${table}: owners are not kept, its trigger audit_own is missing or disabled`;
  for (const table of [month, "audit_record"]) {
    for (const weaker of ["DISABLE", "ENABLE REPLICA"]) {
      await query(`ALTER TABLE ONLY ${table} ${weaker} TRIGGER audit_own`);
      t.strictSame(await damage(), [line(table)], `${weaker} ${table}`);
      await query(`ALTER TABLE ONLY ${table} ENABLE ALWAYS TRIGGER audit_own`);
      t.strictSame(await damage(), []);
    }
  }
  await query("DROP TRIGGER audit_own ON audit_record");
  t.strictSame(await damage(), [line("audit_record"), line(month)], "from all months");
  await query("CREATE FUNCTION allow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'");
  for (const other of [
    "AFTER INSERT ON audit_record FOR EACH ROW EXECUTE FUNCTION allow()",
    "AFTER INSERT OR UPDATE ON audit_record FOR EACH ROW EXECUTE FUNCTION audit_own()",
  ]) {
    await query(`CREATE TRIGGER audit_own ${other}`);
    t.strictSame(await damage(), [line("audit_record"), line(month)], other);
    await query("DROP TRIGGER audit_own ON audit_record");
  }
});

t.test("owners that anybody can change are damage", { skip }, async (t) => {
  const { query, damage } = await withMonth(t);
  for (const trigger of ["audit_refuse", "audit_refuse_truncate"]) {
    const line = `app_owner: changes are not refused, its trigger ${trigger} is missing or disabled`;
    for (const weaker of ["DISABLE", "ENABLE"]) {
      await query(`ALTER TABLE app_owner ${weaker} TRIGGER ${trigger}`);
      t.strictSame(await damage(), [line], weaker);
      await query(`ALTER TABLE app_owner ENABLE ALWAYS TRIGGER ${trigger}`);
      t.strictSame(await damage(), []);
    }
    await query(`DROP TRIGGER ${trigger} ON app_owner; CREATE TRIGGER ${trigger} BEFORE UPDATE ON app_owner
      FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse(); ALTER TABLE app_owner ENABLE ALWAYS TRIGGER ${trigger}`);
    t.strictSame(await damage(), [line], "one that refuses less");
    await query(`DROP TRIGGER ${trigger} ON app_owner; CREATE TRIGGER ${trigger} BEFORE
      ${trigger === "audit_refuse" ? "INSERT OR UPDATE OR DELETE" : "TRUNCATE"} ON app_owner
      FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse(); ALTER TABLE app_owner ENABLE ALWAYS TRIGGER ${trigger}`);
    t.strictSame(await damage(), []);
  }
});

t.test("a month that is not part of the trail any more is damage", { skip }, async (t) => {
  const { query, damage } = await withMonth(t);
  await query(`ALTER TABLE audit_record DETACH PARTITION ${month}`);
  t.strictSame(await damage(), [`${month}: is detached, so its records cannot be found`]);
});

t.test("an index that cannot be used is damage", { skip }, async (t) => {
  const { query, damage } = await withMonth(t);
  await query(`UPDATE pg_index SET indisvalid = false WHERE indexrelid = '${month}_pkey'::regclass`);
  t.strictSame(await damage(), [`${month}_pkey: is not valid, so records may not be found`]);
});
