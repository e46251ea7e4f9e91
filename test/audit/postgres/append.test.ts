import t from "tap";
import { appendFunction, appendLock } from "../../../src/audit/postgres/append.ts";
import { migratePostgres } from "../../../src/audit/postgres/migrate.ts";
import { skip, startPostgres } from "../../helpers/postgres.ts";
import { Trail } from "../rows.ts";

t.test("the function holds the lock that tests and operators look for", async (t) => {
  const text = appendFunction({ create: "CREATE", columns: "one, two", values: "1, 2" });
  t.match(text, `pg_advisory_xact_lock(${appendLock})`);
  t.match(text, /^\nCREATE FUNCTION audit_append\(/);
  t.match(text, "INSERT INTO audit_record (one, two)\n  SELECT 1, 2\n");
});

t.test("what is written is what its values say", { skip }, async (t) => {
  const { url, query } = await startPostgres(t);
  await migratePostgres({ url });
  const needed = "stream, seq, segment, time, kind, logids, text, hash";
  await query(
    appendFunction({ create: "CREATE OR REPLACE", columns: `caller, ${needed}`, values: `'x', ${needed}` }),
  );
  const rows = new Trail("a.1").rows(2, { caller: "billing" });
  await query("SELECT audit_append($1, NULL, NULL)", [JSON.stringify(rows)]);
  t.strictSame(await query("SELECT caller FROM audit_record"), [{ caller: "x" }, { caller: "x" }]);
});
