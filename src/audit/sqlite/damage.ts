import type { SqliteConnection } from "./connection.ts";
import { isDamage } from "./error.ts";
import { ownersDamage } from "./owners.ts";

/** Lines of damage that are told; more would tell no more. */
const maxLines = 20;

/** See `AuditStore.damage`. */
export function damage(connection: SqliteConnection): string[] {
  try {
    const lines = check(connection);
    // Of a broken file the owners tell nothing more.
    return lines[0] === "ok" ? ownersDamage(connection, maxLines) : lines;
  } catch (error) {
    if (error instanceof Error && isDamage(error)) return [error.message];
    throw error;
  }
}

function check(connection: SqliteConnection): string[] {
  return connection
    .all<{ integrity_check: string }>(`PRAGMA integrity_check(${maxLines})`)
    .flatMap(({ integrity_check }) => integrity_check.split("\n"))
    .slice(0, maxLines);
}
