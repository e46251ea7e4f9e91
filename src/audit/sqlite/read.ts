import type { SQLInputValue } from "node:sqlite";
import { conditionOf } from "../query.ts";
import type { AuditFilter, ChainPoint, Page } from "../store.ts";
import type { SqliteConnection } from "./connection.ts";
import { type PackedRow, packedColumns } from "./row.ts";

function select(connection: SqliteConnection, tail: string, ...values: SQLInputValue[]): PackedRow[] {
  return connection.lists<PackedRow>(`SELECT ${packedColumns} FROM audit_record AS r ${tail}`, ...values);
}

/** See `AuditStore.find`. */
export function find(connection: SqliteConnection, filter: AuditFilter, page: Page): PackedRow[] {
  const { sql, values } = conditionOf(
    filter,
    page,
    (placeholder) => `position IN (SELECT position FROM audit_logid WHERE logid = ${placeholder})`,
  );
  const direction = page.order === "newest_first" ? "DESC" : "ASC";
  const condition = sql.replace(/\$(\d+)/g, "?$1");
  const tail = `WHERE ${condition} ORDER BY position ${direction} LIMIT ?${values.length + 1}`;
  return select(connection, tail, ...values, page.limit);
}

/** See `AuditStore.chain`. */
export function chain(
  connection: SqliteConnection,
  after: ChainPoint | undefined,
  limit: number,
): PackedRow[] {
  const order = "ORDER BY stream, seq, position LIMIT ?";
  if (!after) return select(connection, order, limit);
  const { stream, seq, position = 0 } = after;
  return select(
    connection,
    `WHERE (stream, seq, position) > (?, ?, ?) ${order}`,
    stream,
    seq,
    position,
    limit,
  );
}

/** Names all streams by seeking from one to the next: it costs as much as there are streams, not rows. */
export const streamNames = `WITH RECURSIVE
  candidate (name) AS (
    SELECT min(stream) FROM audit_record
    UNION ALL
    SELECT (SELECT min(stream) FROM audit_record WHERE stream > name) FROM candidate WHERE name IS NOT NULL
  ),
  stream (name) AS (SELECT name FROM candidate WHERE name IS NOT NULL)`;

/** See `AuditStore.heads`. */
export function heads(connection: SqliteConnection): PackedRow[] {
  return select(
    connection,
    `WHERE position IN (
       ${streamNames}
       SELECT (SELECT position FROM audit_record WHERE stream = name ORDER BY seq DESC LIMIT 1) FROM stream
     ) ORDER BY r.stream`,
  );
}

/** See `AuditStore.unfinished`. */
export function unfinished(connection: SqliteConnection, stream: string, settledTo: number): PackedRow[] {
  return select(
    connection,
    `WHERE stream = ? AND seq > ? AND kind = 'attempt' AND NOT EXISTS (
       SELECT 1 FROM audit_record AS c WHERE c.closes_stream = r.stream AND c.closes_seq = r.seq
     ) ORDER BY seq`,
    stream,
    settledTo,
  );
}
