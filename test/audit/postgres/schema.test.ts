import { createHash } from "node:crypto";
import t from "tap";
import { migratePostgres } from "../../../src/audit/postgres/migrate.ts";
import { migrations } from "../../../src/audit/postgres/schema.ts";
import type { Link } from "../../../src/audit/record.ts";
import type { Row } from "../../../src/audit/store.ts";
import type { Teardown } from "../../helpers/gateway.ts";
import { skip, startPostgres } from "../../helpers/postgres.ts";
import { linkOf, Trail } from "../rows.ts";

/** A database with the schema, and how rows get there without a store. */
async function withSchema(t: Teardown) {
  const { url, query } = await startPostgres(t);
  await migratePostgres({ url });
  const append = (rows: readonly Row[], after?: Link) =>
    query("SELECT audit_append($1, $2, $3)", [JSON.stringify(rows), after?.seq, after?.hash]);
  return { query, append };
}

const march = "audit_record_2027_03";

t.test("nobody changes or removes records, the owner neither", { skip }, async (t) => {
  const { query, append } = await withSchema(t);
  const rows = new Trail("a.1").rows(3);
  await append(rows);
  const refused = /records of the audit trail are not changed or removed/;
  for (const table of ["audit_record", march]) {
    await t.rejects(query(`UPDATE ${table} SET caller = 'somebody else' WHERE seq = 1`), refused, table);
    await t.rejects(query(`UPDATE ${table} SET caller = NULL WHERE false`), refused, table);
    await t.rejects(query(`DELETE FROM ${table} WHERE seq = 1`), refused, table);
    await t.rejects(query(`TRUNCATE ${table}`), refused, table);
    await t.rejects(
      query(`INSERT INTO ${table} SELECT * FROM audit_record
        ON CONFLICT (stream, seq, segment) DO UPDATE SET caller = 'somebody else'`),
      refused,
      table,
    );
    await t.rejects(query(`SET session_replication_role = replica; DELETE FROM ${table}`), refused, table);
  }
  await query(`ALTER TABLE audit_record DETACH PARTITION ${march}`);
  await t.rejects(query(`DELETE FROM ${march}`), refused, "a detached month");
  t.strictSame(
    await query(`SELECT text, hash FROM ${march} ORDER BY seq`),
    rows.map(({ text, hash }) => ({ text, hash })),
  );
});

t.test("text is stored byte for byte", { skip }, async (t) => {
  const { query, append } = await withSchema(t);
  const [row] = new Trail("a.1").rows(1);
  const text = '{"a":"\\u0001 \\\\ \\" \' é 😀\\n",  "b":1.0e2,"a":null}';
  await append([{ ...(row as Row), text }]);
  const [stored] = await query("SELECT text, octet_length(text) AS bytes FROM audit_record");
  t.strictSame(stored, { text, bytes: Buffer.byteLength(text) });
});

t.test("a month is made once, and what is none is refused", { skip }, async (t) => {
  const { query } = await withSchema(t);
  for (const _ of "12") await query("SELECT audit_ensure_segment('2027-03')");
  const parts = `SELECT pg_get_expr(relpartbound, oid) AS bound FROM pg_class WHERE relname = '${march}'`;
  t.strictSame(await query(parts), [{ bound: "FOR VALUES IN ('2027-03')" }]);
  for (const segment of [
    "2027-3",
    "2027-00",
    "2027-13",
    "2027-03'; DROP TABLE audit_meta",
    "2027-03\n",
    "",
    "٢٠٢٧-03",
  ]) {
    await t.rejects(query("SELECT audit_ensure_segment($1)", [segment]), /not a month/, segment);
    t.strictSame(
      await query("SELECT audit_drop_segment($1) AS records", [segment]),
      [{ records: "0" }],
      segment,
    );
  }
  t.strictSame(await query("SELECT version FROM audit_meta"), [{ version: 2 }]);
});

t.test("months that replicas need at once are made once", { skip }, async (t) => {
  const { query, append } = await withSchema(t);
  await Promise.all(
    Array.from({ length: 8 }, (_, replica) => append(new Trail(`replica.${replica}`).rows(2))),
  );
  t.match(await query("SELECT count(*)::int AS records FROM audit_record"), [{ records: 16 }]);
  t.match(await query(`SELECT count(*)::int AS records FROM ${march}`), [{ records: 16 }]);
});

t.test("a batch over the end of a month is stored whole", { skip }, async (t) => {
  const { query, append } = await withSchema(t);
  const trail = new Trail("a.1");
  const rows = ["2027-03-31T23:59:59Z", "2027-04-01T00:00:00Z"].flatMap((time) =>
    trail.rows(2, { time: Date.parse(time) }),
  );
  await append(rows);
  t.strictSame(
    await query(
      "SELECT tableoid::regclass::text AS part, seq::int, position::int FROM audit_record ORDER BY seq",
    ),
    rows.map(({ seq }) => ({ part: seq < 3 ? march : "audit_record_2027_04", seq, position: seq })),
  );
});

t.test("a month is dropped with its records, and only that one", { skip }, async (t) => {
  const { query, append } = await withSchema(t);
  const trail = new Trail("a.1");
  await append(trail.rows(3));
  const after = trail.head;
  await append(trail.rows(2, { time: Date.parse("2027-04-01T00:00:00Z") }), after);
  t.strictSame(await query("SELECT audit_drop_segment('2027-03') AS records"), [{ records: "3" }]);
  t.strictSame(await query("SELECT audit_drop_segment('2027-03') AS records"), [{ records: "0" }]);
  t.strictSame(await query("SELECT DISTINCT segment FROM audit_record"), [{ segment: "2027-04" }]);
});

t.test("the record before a batch must be there as it was stored", { skip }, async (t) => {
  const { query, append } = await withSchema(t);
  const trail = new Trail("a.1");
  const first = trail.next();
  const second = trail.next();
  await append([first]);
  const lost = { code: "AU001", message: "a.1:1 is not there as it was stored" };
  await t.rejects(append([second], { ...linkOf(first), hash: "f".repeat(64) }), lost);
  await t.rejects(append([{ ...second, stream: "b.1" }], linkOf(first)), { code: "AU001" });
  const forged = { ...second, hash: "f".repeat(64) };
  await append([second], linkOf(first));
  await t.rejects(append([forged], linkOf(first)), {
    code: "AU002",
    message: "another record has the place of one of a.1:2 to 2",
  });
  t.match(await query("SELECT count(*)::int AS records FROM audit_record"), [{ records: 2 }]);
});

t.test("what was released is never changed", async (t) => {
  const digests = migrations.map((migration) => createHash("sha256").update(migration).digest("hex"));
  t.strictSame(digests, [
    "3ccbde04c487773f938019055b4b4bd73b5ea84637f6ee86f4c08a8ad42627ff",
    "5da43eaef3526a863a2f88be60efa5f15244f609782e88ff634d88c410ce5e23",
  ]);
});
