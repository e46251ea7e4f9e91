import { setTimeout as sleep } from "node:timers/promises";
import { Client } from "pg";
import t from "tap";
import { migratePostgres } from "../../../src/audit/postgres/migrate.ts";
import { findPrunable, removeSegments } from "../../../src/audit/postgres/prune.ts";
import { onConnection, PostgresServer } from "../../../src/audit/postgres/server.ts";
import type { Row } from "../../../src/audit/store.ts";
import { eventually } from "../../config/eventually.ts";
import type { Teardown } from "../../helpers/gateway.ts";
import { skip, startPostgres } from "../../helpers/postgres.ts";
import { linkOf, Trail } from "../rows.ts";

const month = (name: string) => Date.parse(`${name}-15T00:00:00.000Z`);

/** A database with these rows, and pruning as a store does it. */
async function withRows(t: Teardown, ...streams: readonly Row[][]) {
  const { url, query } = await startPostgres(t);
  await migratePostgres({ url });
  for (const rows of streams) await query("SELECT audit_append($1, NULL, NULL)", [JSON.stringify(rows)]);
  const server = new PostgresServer({ url });
  const prunable = (before: string) =>
    onConnection(server, "maintenance", (client) => findPrunable(client, before));
  const remove = (...segments: string[]) =>
    onConnection(server, "maintenance", (client) => removeSegments(client, segments));
  return { url, query, prunable, remove };
}

t.test("each stream that loses records has the place where its chain goes on", { skip }, async (t) => {
  const one = new Trail("a.1");
  const early = one.rows(2, { time: month("2027-01") });
  const late = one.rows(1, { time: month("2027-02") });
  const gone = new Trail("B.1").rows(1, { time: month("2027-01") });
  const kept = new Trail("c.1").rows(1, { time: month("2027-02") });
  const { prunable, remove } = await withRows(t, [...early, ...late], gone, kept);
  t.equal(await prunable("2027-01"), undefined);
  const checkpoints = [linkOf(gone[0] as Row), linkOf(early[1] as Row)];
  t.strictSame(await prunable("2027-02"), { segments: ["2027-01"], records: 3, checkpoints });
  t.equal(await remove("2027-01", "2026-12", "nonsense"), 3);
  t.equal(await remove("2027-01"), 0);
  t.equal(await remove(), 0);
  t.equal(await prunable("2027-02"), undefined);
});

t.test("each month goes by itself, so that nobody waits for all of them", { skip }, async (t) => {
  const trail = new Trail("a.1");
  const rows = ["2027-01", "2027-02"].flatMap((name) => trail.rows(2, { time: month(name) }));
  const { query, remove } = await withRows(t, rows);
  await query("CREATE VIEW needs_it AS SELECT 1 FROM audit_record_2027_02");
  await t.rejects(remove("2027-01", "2027-02"), { code: "2BP01" });
  t.equal((await query("SELECT FROM audit_record")).length, 2);
  await query("DROP VIEW needs_it");
  t.equal(await remove("2027-01", "2027-02"), 2);
});

t.test("a vacuum is waited for until it gives way", { skip }, async (t) => {
  const { url, query, remove } = await withRows(t, new Trail("a.1").rows(2, { time: month("2027-01") }));
  const vacuum = new Client({ connectionString: url });
  t.teardown(() => vacuum.end());
  await vacuum.connect();
  await vacuum.query("BEGIN; LOCK TABLE audit_record_2027_01 IN SHARE UPDATE EXCLUSIVE MODE");
  const removed = remove("2027-01");
  const waiting = "SELECT FROM pg_locks WHERE relation = 'audit_record_2027_01'::regclass AND NOT granted";
  await eventually("the wait", async () => (await query(waiting)).length > 0);
  // Longer than readers would be waited for.
  await sleep(700);
  await vacuum.query("COMMIT");
  t.equal(await removed, 2);
});

t.test("a reader is not waited for long, and one month is removed once", { skip }, async (t) => {
  const { url, query, remove } = await withRows(t, new Trail("a.1").rows(2, { time: month("2027-01") }));
  const reader = new Client({ connectionString: url });
  t.teardown(() => reader.end());
  await reader.connect();
  await reader.query("BEGIN; SELECT FROM audit_record");
  await t.rejects(remove("2027-01"), { code: "55P03" });
  await reader.query("COMMIT");
  const removals = await Promise.allSettled([remove("2027-01"), remove("2027-01"), remove("2027-01")]);
  const removed = removals.map((each) => (each.status === "fulfilled" ? each.value : 0));
  t.strictSame(removed.sort(), [0, 0, 2]);
  for (const each of removals) if (each.status === "rejected") t.match(each.reason, { code: "55P03" });
  await eventually("nothing", async () => (await query("SELECT FROM audit_record")).length === 0);
});
