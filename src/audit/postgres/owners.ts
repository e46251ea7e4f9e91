import { ownerExpectedBy, ownerSaidBy } from "../owner-rule.ts";
import type { OwnersPage } from "../store.ts";
import type { Query } from "./queries.ts";

/** See AuditStore.ownersOf. */
export function ownersOfQuery(apiAppIds: readonly string[]): Query {
  return {
    // Prepared once for each connection: it is asked with every request that needs an owner.
    name: "owners of apps",
    text: "SELECT api_app_id, owner FROM app_owner WHERE api_app_id = ANY ($1) AND owner <> ''",
    values: [apiAppIds],
  };
}

/** See AuditStore.owners. */
export function ownersQuery({ owner, after = "", limit }: OwnersPage): Query {
  return {
    text: `SELECT api_app_id, owner, since, stream, seq FROM app_owner
      WHERE api_app_id > $1 AND owner <> '' ${owner === undefined ? "" : "AND owner = $3"}
      ORDER BY api_app_id LIMIT $2`,
    values: [after, limit, ...(owner === undefined ? [] : [owner])],
  };
}

/**
 * Owners that are not what the records say, one line each: the record that an owner names does not say so, or does not
 * come last, or records speak of an owner that is not there. What retention removed cannot be compared; but it only
 * removes the beginning of a stream, so a record is there when an earlier one is.
 */
export const ownersDamageQuery: Query = {
  text: `WITH said AS (
      SELECT stream, seq, position, kind, api_app_id, ${ownerSaidBy("r")} AS owner, ${ownerExpectedBy("r")} AS expected
      FROM audit_record AS r WHERE r.owner IS NOT NULL OR (r.operation = 'create_api_app' AND r.kind = 'outcome')
    ), unsaid AS MATERIALIZED (
      SELECT * FROM app_owner AS o WHERE NOT EXISTS (
        SELECT FROM audit_record AS r
        WHERE r.stream = o.stream AND r.seq = o.seq AND r.position = o.position AND r.time = o.since
          AND r.api_app_id = o.api_app_id AND ${ownerSaidBy("r")} = o.owner
      )
    ), begun AS MATERIALIZED (
      SELECT stream, (SELECT min(seq) FROM audit_record AS r WHERE r.stream = u.stream) AS seq
      FROM (SELECT DISTINCT stream FROM unsaid) AS u
    )
    SELECT format('app_owner: %s belongs to "%s", but %s:%s, which it names, does not say so',
      o.api_app_id, o.owner, o.stream, o.seq) AS line
    FROM unsaid AS o JOIN begun AS b ON b.stream = o.stream AND b.seq <= o.seq
    UNION ALL
    SELECT format('app_owner: %s belongs to "%s", but %s:%s changed that', o.api_app_id, o.owner, s.stream, s.seq)
    FROM app_owner AS o JOIN said AS s USING (api_app_id)
    WHERE s.position > o.position AND s.expected = o.owner AND s.owner IS NOT NULL
    UNION ALL
    SELECT format('app_owner: %s is not there, but %s:%s says that "%s" owns it', s.api_app_id, s.stream, s.seq, s.owner)
    FROM said AS s
    WHERE s.expected = '' AND s.owner <> '' AND NOT EXISTS (SELECT FROM app_owner AS o WHERE o.api_app_id = s.api_app_id)
    ORDER BY line LIMIT 20`,
  values: [],
};
