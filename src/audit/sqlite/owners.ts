import { ownerExpectedBy, ownerSaidBy } from "../owner-rule.ts";
import type { AppOwner, OwnersPage } from "../store.ts";
import type { SqliteConnection } from "./connection.ts";

/** One owned app as it goes from thread to thread. */
export type OwnerEntry = readonly [apiAppId: string, owner: string];

// Without CROSS the table could be read whole, and each of its rows looked for in the list.
const selectOwners = `SELECT api_app_id, owner FROM json_each(?) AS asked
  CROSS JOIN app_owner ON api_app_id = asked.value WHERE owner <> ''`;

/** See `AuditStore.ownersOf`. */
export function ownersOf(connection: SqliteConnection, apiAppIds: readonly string[]): OwnerEntry[] {
  return connection.lists<OwnerEntry>(selectOwners, JSON.stringify(apiAppIds));
}

const columns = "api_app_id, owner, since, stream, seq";

/** See `AuditStore.owners`. */
export function owners(connection: SqliteConnection, { owner, after = "", limit }: OwnersPage): AppOwner[] {
  const order = "ORDER BY api_app_id LIMIT ?";
  const rows =
    owner === undefined
      ? connection.all<AppOwner>(
          `SELECT ${columns} FROM app_owner WHERE api_app_id > ? AND owner <> '' ${order}`,
          after,
          limit,
        )
      : connection.all<AppOwner>(
          `SELECT ${columns} FROM app_owner WHERE owner = ? AND api_app_id > ? AND owner <> '' ${order}`,
          owner,
          after,
          limit,
        );
  return rows.map((row) => ({ ...row }));
}

/**
 * Owners that are not what the records say, one line each: the record that an owner names does not say so, or does not
 * come last, or records speak of an owner that is not there. What retention removed cannot be compared; but it only
 * removes the beginning of a stream, so a record is there when an earlier one is.
 */
const selectDamage = `WITH said AS MATERIALIZED (
    SELECT stream, seq, position, api_app_id, ${ownerSaidBy("r")} AS owner, ${ownerExpectedBy("r")} AS expected
    FROM audit_record AS r WHERE ${ownerSaidBy("r")} IS NOT NULL
  )
  SELECT format('app_owner: %s belongs to "%s", but %s:%d, which it names, does not say so',
    o.api_app_id, o.owner, o.stream, o.seq) AS line
  FROM app_owner AS o
  WHERE EXISTS (SELECT 1 FROM audit_record AS r WHERE r.stream = o.stream AND r.seq <= o.seq) AND NOT EXISTS (
    SELECT 1 FROM audit_record AS r
    WHERE r.stream = o.stream AND r.seq = o.seq AND r.position = o.position AND r.time = o.since
      AND r.api_app_id = o.api_app_id AND ${ownerSaidBy("r")} = o.owner
  )
  UNION ALL
  SELECT format('app_owner: %s belongs to "%s", but %s:%d changed that', o.api_app_id, o.owner, s.stream, s.seq)
  FROM said AS s JOIN app_owner AS o USING (api_app_id)
  WHERE s.position > o.position AND s.expected = o.owner
  UNION ALL
  SELECT format('app_owner: %s is not there, but %s:%d says that "%s" owns it',
    s.api_app_id, s.stream, s.seq, s.owner)
  FROM said AS s
  WHERE s.expected = '' AND s.owner <> '' AND NOT EXISTS (SELECT 1 FROM app_owner AS o WHERE o.api_app_id = s.api_app_id)
  ORDER BY line LIMIT ?`;

/** The lines of such owners, so many at most. */
export function ownersDamage(connection: SqliteConnection, limit: number): string[] {
  return connection.all<{ line: string }>(selectDamage, limit).map(({ line }) => line);
}
