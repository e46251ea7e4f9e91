import { join } from "node:path";
import type { SQLInputValue, SQLOutputValue } from "node:sqlite";
import t from "tap";
import { append } from "../../../src/audit/sqlite/append.ts";
import { SqliteConnection } from "../../../src/audit/sqlite/connection.ts";
import { chain, find, heads, unfinished } from "../../../src/audit/sqlite/read.ts";
import { unpack } from "../../../src/audit/sqlite/row.ts";
import { prepareSchema } from "../../../src/audit/sqlite/schema.ts";
import type { AuditFilter } from "../../../src/audit/store.ts";
import { start, Trail } from "../rows.ts";
import type { Scope } from "../store-contract-place.ts";

/** Tells also by which steps SQLite answers. */
class ExplainingConnection extends SqliteConnection {
  readonly steps: string[] = [];

  override lists<R extends readonly SQLOutputValue[]>(sql: string, ...values: SQLInputValue[]): R[] {
    const plan = this.all<{ detail: string }>(`EXPLAIN QUERY PLAN ${sql}`, ...values);
    this.steps.push(...plan.map(({ detail }) => detail));
    return super.lists<R>(sql, ...values);
  }
}

/** A store with the streams `a.1` (finished) and `b.1` (an attempt is open). */
function filled(t: Scope): ExplainingConnection {
  const path = join(t.testdir(), "audit.db");
  const connection = new ExplainingConnection(path);
  t.teardown(() => connection.close());
  prepareSchema(connection, path, "create");
  const one = new Trail("a.1");
  const attempt = one.attempt("r1");
  append(connection, [attempt, one.outcome(attempt)], undefined);
  const two = new Trail("b.1");
  append(connection, [two.attempt("r2"), two.next()], undefined);
  return connection;
}

const newest = { order: "newest_first", limit: 10 } as const;

t.test("rows come packed, with their logids", async (t) => {
  const connection = filled(t);
  const rows = chain(connection, undefined, 10).map(unpack);
  t.same(
    rows.map(({ position, stream, seq, logids }) => [position, stream, seq, logids]),
    [
      [1, "a.1", 1, []],
      [2, "a.1", 2, ["log1"]],
      [3, "b.1", 1, []],
      [4, "b.1", 2, []],
    ],
  );
  t.same(find(connection, {}, newest).map(unpack), rows.toReversed());
  t.same(heads(connection).map(unpack), [rows[1], rows[3]]);
  t.same(unfinished(connection, "b.1", 0).map(unpack), [rows[2]]);
});

t.test(
  "logids come in order, whatever order they were stored in, and unchanged by what is in them",
  async (t) => {
    const connection = filled(t);
    connection.exec("INSERT INTO audit_logid VALUES (2, 'a\"b,c'), (2, 'z z'), (2, 'a')");
    const [row] = find(connection, { logid: "log1" }, newest).map(unpack);
    t.same(row?.logids, ["a", 'a"b,c', "log1", "z z"]);
  },
);

t.test("no chain is sorted or read as a whole to find a part of it", async (t) => {
  const connection = filled(t);
  chain(connection, undefined, 10);
  chain(connection, { stream: "a.1", seq: 1, position: 1 }, 10);
  chain(connection, { stream: "a.1", seq: 1 }, 10);
  unfinished(connection, "b.1", 0);
  t.notMatch(connection.steps.join("\n"), /TEMP B-TREE/);
  heads(connection);
  const steps = connection.steps.join("\n");
  t.match(steps, /SEARCH r USING INDEX sqlite_autoindex_audit_record_1 \(\(stream,seq\)>\(\?,\?\)\)/);
  t.match(steps, /SEARCH c USING COVERING INDEX audit_record_closes \(closes_stream=\? AND closes_seq=\?\)/);
  t.match(steps, /SEARCH audit_record USING COVERING INDEX sqlite_autoindex_audit_record_1 \(stream>\?\)/);
  // One whole reading is asked for, in the order of its index.
  t.strictSame(
    connection.steps.filter((step) => /^SCAN (r|audit_record)\b/.test(step)),
    ["SCAN r USING INDEX sqlite_autoindex_audit_record_1"],
  );
});

t.test("what is rare is found by an index", async (t) => {
  const filters: readonly (readonly [AuditFilter, RegExp])[] = [
    [{ request_id: "r1" }, /INDEX audit_record_request_id \(request_id=\?\)/],
    [{ caller: "crm" }, /INDEX audit_record_caller \(caller=\?\)/],
    [{ api_app_id: "1" }, /INDEX audit_record_api_app_id \(api_app_id=\?\)/],
    [{ outcome: "unknown" }, /INDEX audit_record_outcome \(outcome=\?\)/],
    [{ from: start, to: start + 1 }, /INDEX audit_record_time \(time>\? AND time<\?\)/],
    [{ logid: "log1" }, /INDEX audit_logid_logid \(logid=\?\)/],
  ];
  for (const [filter, index] of filters) {
    const connection = filled(t);
    find(connection, filter, newest);
    t.match(connection.steps.join("\n"), index, JSON.stringify(filter));
  }
});
