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
  for (const session of ["writer", "maintenance"] as const) {
    t.match(sessionConfig(session).options, /-c synchronous_commit=on/);
    t.notMatch(sessionConfig(session).options, /read_only/);
  }
  t.match(sessionConfig("reader").options, /-c default_transaction_read_only=on/);
  for (const session of ["writer", "reader", "maintenance"] as const) {
    t.match(sessionConfig(session).options, /-c default_transaction_isolation=read\\ committed /);
    t.equal(sessionConfig(session).application_name, `coze-gateway ${session}`);
  }
});
