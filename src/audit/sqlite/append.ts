import type { Link } from "../record.ts";
import { type Row, StoreError } from "../store.ts";
import type { SqliteConnection } from "./connection.ts";
import { recordColumns } from "./row.ts";

const insertRecord = `INSERT INTO audit_record (${recordColumns}) VALUES (${recordColumns.map(() => "?")})
  ON CONFLICT (stream, seq) DO NOTHING`;
const insertLogid = "INSERT INTO audit_logid (position, logid) VALUES (?, ?)";
const selectHash = "SELECT hash FROM audit_record WHERE stream = ? AND seq = ?";

/** Stores all rows or none; see `AuditStore.append`. They are durable when this returns. */
export function append(connection: SqliteConnection, rows: readonly Row[], after: Link | undefined): void {
  const hashAt = ({ stream, seq }: Row | Link) =>
    connection.first<{ hash: string }>(selectHash, stream, seq)?.hash;
  connection.transaction("IMMEDIATE", () => {
    if (after && hashAt(after) !== after.hash)
      throw new StoreError(
        `the store has lost records of this process: record ${after.seq} of ${after.stream}, which was stored, is not there`,
        { permanent: true },
      );
    for (const row of rows) {
      const values = recordColumns.map((column) => row[column]);
      const { changes, lastInsertRowid } = connection.statement(insertRecord).run(...values);
      if (changes === 1)
        for (const logid of row.logids) connection.statement(insertLogid).run(lastInsertRowid, logid);
      else if (hashAt(row) !== row.hash)
        throw new StoreError(`another record is stored as number ${row.seq} of ${row.stream}`, {
          permanent: true,
        });
    }
  });
}
