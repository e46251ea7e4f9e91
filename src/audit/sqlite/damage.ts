import type { SqliteConnection } from "./connection.ts";
import { isDamage } from "./error.ts";

/** Lines of damage that are told; more would tell no more. */
const maxLines = 20;

/** See `AuditStore.damage`. */
export function damage(connection: SqliteConnection): string[] {
  const lines = check(connection);
  return lines[0] === "ok" ? [] : lines;
}

function check(connection: SqliteConnection): string[] {
  try {
    return connection
      .all<{ integrity_check: string }>(`PRAGMA integrity_check(${maxLines})`)
      .flatMap(({ integrity_check }) => integrity_check.split("\n"))
      .slice(0, maxLines);
  } catch (error) {
    if (error instanceof Error && isDamage(error)) return [error.message];
    throw error;
  }
}
