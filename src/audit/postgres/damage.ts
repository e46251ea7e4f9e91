import type { Query } from "./queries.ts";

/**
 * What is not as it was set up, one line each: tables without the trigger that refuses changes or the one that keeps
 * the owners, months whose records can no longer be found because their table stands alone, and indexes that were not
 * finished.
 */
export const damageQuery: Query = {
  text: `WITH root AS (
      SELECT oid, relnamespace FROM pg_class WHERE oid = 'audit_record'::regclass
    ), parts AS (
      SELECT inhrelid AS oid FROM pg_inherits JOIN root ON inhparent = root.oid
    ), tables AS (
      SELECT oid FROM root UNION ALL SELECT oid FROM parts
    )
    SELECT format('%s: changes are not refused, its trigger audit_refuse is missing or disabled', oid::regclass) AS line
    FROM tables WHERE NOT EXISTS (
      SELECT FROM pg_trigger AS g JOIN pg_proc AS p ON p.oid = g.tgfoid
      WHERE g.tgrelid = tables.oid AND g.tgname = 'audit_refuse' AND p.proname = 'audit_refuse'
        AND g.tgenabled = 'A' AND g.tgtype = 58
    )
    UNION ALL
    SELECT format('%s: owners are not kept, its trigger audit_own is missing or disabled', oid::regclass)
    FROM tables WHERE NOT EXISTS (
      SELECT FROM pg_trigger AS g JOIN pg_proc AS p ON p.oid = g.tgfoid
      WHERE g.tgrelid = tables.oid AND g.tgname = 'audit_own' AND p.proname = 'audit_own'
        AND g.tgenabled IN ('O', 'A') AND g.tgtype = 5
    )
    UNION ALL
    SELECT format('app_owner: changes are not refused, its trigger %s is missing or disabled', guard.name)
    FROM (VALUES ('audit_refuse', 30), ('audit_refuse_truncate', 34)) AS guard (name, type) WHERE NOT EXISTS (
      SELECT FROM pg_trigger AS g JOIN pg_proc AS p ON p.oid = g.tgfoid
      WHERE g.tgrelid = 'app_owner'::regclass AND g.tgname = guard.name AND p.proname = 'audit_refuse'
        AND g.tgenabled = 'A' AND g.tgtype = guard.type
    )
    UNION ALL
    SELECT format('%s: is detached, so its records cannot be found', c.oid::regclass)
    FROM pg_class AS c JOIN root USING (relnamespace)
    WHERE c.relkind = 'r' AND c.relname ~ '^audit_record_[0-9]{4}_[0-9]{2}$' AND c.oid NOT IN (SELECT oid FROM parts)
    UNION ALL
    SELECT format('%s: is not valid, so records may not be found', indexrelid::regclass)
    FROM pg_index WHERE indrelid IN (SELECT oid FROM tables) AND NOT (indisvalid AND indisready)
    ORDER BY line`,
  values: [],
};
