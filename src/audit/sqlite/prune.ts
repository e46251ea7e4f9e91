import type { Link } from "../record.ts";
import type { Prunable } from "../store.ts";
import type { SqliteConnection } from "./connection.ts";

/** Rows that one transaction removes. Few, because an append waits for the end of it, and each touches many pages. */
const chunk = 200;

const selectSegments = `SELECT segment, count(*) AS records FROM audit_record WHERE segment < ?
  GROUP BY segment ORDER BY segment`;

// With max() SQLite takes the other columns from the row that has it.
const selectCheckpoints = `SELECT stream, max(seq) AS seq, hash FROM audit_record WHERE segment < ?
  GROUP BY stream ORDER BY stream`;

/** See `AuditStore.prunable`. */
export function prunable(connection: SqliteConnection, before: string): Prunable | undefined {
  return connection.transaction("DEFERRED", () => {
    const segments = connection.all<{ segment: string; records: number }>(selectSegments, before);
    if (segments.length === 0) return undefined;
    return {
      segments: segments.map(({ segment }) => segment),
      records: segments.reduce((sum, { records }) => sum + records, 0),
      checkpoints: connection.all<Link>(selectCheckpoints, before).map((link) => ({ ...link })),
    };
  });
}

/** Lists months for removal; until they are gone the list outlives the process. */
export function listForRemoval(connection: SqliteConnection, segments: readonly string[]): void {
  connection.transaction("IMMEDIATE", () => {
    for (const segment of segments)
      connection.statement("INSERT OR IGNORE INTO audit_pruning (segment) VALUES (?)").run(segment);
  });
}

/** Removes some rows of a listed month, oldest first, and gives their number; undefined when no month is listed. */
export function removeSome(connection: SqliteConnection): number | undefined {
  return connection.transaction("IMMEDIATE", () => {
    const listed = connection.first<{ segment: string }>(
      "SELECT segment FROM audit_pruning ORDER BY segment LIMIT 1",
    );
    if (!listed) return undefined;
    const { changes } = connection
      .statement(
        `DELETE FROM audit_record WHERE position IN (
           SELECT position FROM audit_record WHERE segment = ? ORDER BY position LIMIT ${chunk}
         )`,
      )
      .run(listed.segment);
    if (Number(changes) < chunk)
      connection.statement("DELETE FROM audit_pruning WHERE segment = ?").run(listed.segment);
    return Number(changes);
  });
}
