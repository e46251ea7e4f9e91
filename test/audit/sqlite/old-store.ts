import { DatabaseSync } from "node:sqlite";
import { applicationId, migrations } from "../../../src/audit/sqlite/schema.ts";
import type { Row } from "../../../src/audit/store.ts";

const columns = [
  "stream",
  "seq",
  "segment",
  "time",
  "kind",
  "request_id",
  "caller",
  "operation",
  "api_app_id",
  "outcome",
  "closes_stream",
  "closes_seq",
  "text",
  "hash",
] as const;

/** Makes a store as the first version of the gateway left it, with these rows. */
export function makeOldStore(path: string, rows: readonly Row[]): void {
  const database = new DatabaseSync(path);
  database.exec(`PRAGMA application_id = ${applicationId}; PRAGMA journal_mode = WAL;
    BEGIN; ${migrations[0]}; PRAGMA user_version = 1`);
  const insert = database.prepare(`INSERT INTO audit_record (${columns}) VALUES (${columns.map(() => "?")})`);
  const addLogid = database.prepare("INSERT INTO audit_logid VALUES (?, ?)");
  for (const row of rows) {
    const { lastInsertRowid } = insert.run(...columns.map((column) => row[column]));
    for (const logid of row.logids) addLogid.run(lastInsertRowid, logid);
  }
  database.exec("COMMIT");
  database.close();
}
