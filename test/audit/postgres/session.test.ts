import t from "tap";
import { sessionConfig } from "../../../src/audit/postgres/session.ts";

t.test("every wait of a writer ends within some seconds, the client's after the server's", async (t) => {
  const { connectionTimeoutMillis = 0, lock_timeout = 0, ...writer } = sessionConfig("writer");
  const [statement, query] = [Number(writer.statement_timeout), writer.query_timeout ?? 0];
  t.ok(connectionTimeoutMillis > 0 && connectionTimeoutMillis <= 2_000);
  t.ok(lock_timeout > 0 && lock_timeout < statement);
  t.ok(statement < query);
  t.ok(query <= 3_000);
  t.equal(writer.keepAlive, true);
});

t.test("who writes waits for the disk, who reads cannot write", async (t) => {
  for (const session of ["writer", "maintenance", "migration"] as const) {
    t.match(sessionConfig(session).options, /-c synchronous_commit=on/);
    t.notMatch(sessionConfig(session).options, /read_only/);
  }
  for (const session of ["reader", "lookUp"] as const)
    t.match(sessionConfig(session).options, /-c default_transaction_read_only=on/);
  for (const session of ["writer", "reader", "lookUp", "maintenance", "migration"] as const) {
    t.match(sessionConfig(session).options, /-c default_transaction_isolation=read\\ committed /);
    t.equal(sessionConfig(session).application_name, `coze-gateway ${session}`);
  }
});

t.test("a migration takes as long as it takes; whoever a request waits for does not", async (t) => {
  t.match(sessionConfig("migration"), { statement_timeout: 0, query_timeout: 0 });
  t.ok(Number(sessionConfig("lookUp").query_timeout) <= 3_000);
});
