import { ownerExpectedBy, ownerSaidBy } from "../owner-rule.ts";
import { appendFunction } from "./append.ts";

/** Columns for what credentials did and who owns an app, with what the records say already. */
const columns = `
ALTER TABLE audit_record
  ADD COLUMN credential_id text COLLATE "C",
  ADD COLUMN owner text COLLATE "C",
  ADD COLUMN previous_owner text COLLATE "C";
ALTER TABLE ONLY audit_record DISABLE TRIGGER audit_refuse;
UPDATE audit_record SET credential_id = substring(text FROM '"credential_id":"([^"]*)"')
WHERE text LIKE '%"credential_id":"%';
ALTER TABLE ONLY audit_record ENABLE ALWAYS TRIGGER audit_refuse;
CREATE INDEX ON audit_record (credential_id, position);
CREATE INDEX ON audit_record (api_app_id, position) WHERE owner IS NOT NULL;`;

/**
 * Who owns each app now, and the record that says so: a projection of the records, which outlives those that retention
 * removes. An empty owner is one that an operator removed. Only records change it, its owner's role neither.
 */
const table = `
CREATE TABLE app_owner (
  api_app_id text COLLATE "C" PRIMARY KEY,
  owner text COLLATE "C" NOT NULL,
  since bigint NOT NULL,
  stream text COLLATE "C" NOT NULL,
  seq bigint NOT NULL,
  position bigint NOT NULL
);
CREATE INDEX ON app_owner (owner, api_app_id);
INSERT INTO app_owner (api_app_id, owner, since, stream, seq, position)
SELECT DISTINCT ON (api_app_id) api_app_id, caller, time, stream, seq, position FROM audit_record
WHERE kind = 'outcome' AND operation = 'create_api_app' AND outcome = 'done'
  AND api_app_id IS NOT NULL AND caller IS NOT NULL
ORDER BY api_app_id, position;
CREATE TRIGGER audit_refuse BEFORE INSERT OR UPDATE OR DELETE ON app_owner
  FOR EACH STATEMENT WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION audit_refuse();
CREATE TRIGGER audit_refuse_truncate BEFORE TRUNCATE ON app_owner
  FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse();
ALTER TABLE app_owner ENABLE ALWAYS TRIGGER audit_refuse;
ALTER TABLE app_owner ENABLE ALWAYS TRIGGER audit_refuse_truncate;`;

/** Runs as the owner, so that who may only add records needs no right to change owners; partitions get it by themselves. */
const projection = `
CREATE FUNCTION audit_own() RETURNS trigger
  LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
  said text := ${ownerSaidBy("NEW")};
  expected text := ${ownerExpectedBy("NEW")};
BEGIN
  INSERT INTO app_owner AS a (api_app_id, owner, since, stream, seq, position)
  SELECT NEW.api_app_id, said, NEW.time, NEW.stream, NEW.seq, NEW.position
  WHERE expected = '' OR EXISTS (SELECT FROM app_owner WHERE api_app_id = NEW.api_app_id)
  ON CONFLICT (api_app_id) DO UPDATE SET owner = excluded.owner, since = excluded.since, stream = excluded.stream,
    seq = excluded.seq, position = excluded.position
  WHERE a.owner = expected;
  RETURN NULL;
END $$;
REVOKE EXECUTE ON FUNCTION audit_own FROM PUBLIC;
CREATE TRIGGER audit_own AFTER INSERT ON audit_record
  FOR EACH ROW WHEN (${ownerSaidBy("NEW")} IS NOT NULL) EXECUTE FUNCTION audit_own();`;

/** A replica of the version before goes on writing for a while; the column is then filled from the text. */
const append = appendFunction({
  create: "CREATE OR REPLACE",
  columns: `stream, seq, segment, time, kind, request_id, caller, operation, api_app_id, outcome,
    closes_stream, closes_seq, logids, text, hash, credential_id, owner, previous_owner`,
  values: `stream, seq, segment, time, kind, request_id, caller, operation, api_app_id, outcome,
    closes_stream, closes_seq, logids, text, hash,
    coalesce(credential_id, substring(text FROM '"credential_id":"([^"]*)"')), owner, previous_owner`,
});

/** Who could read and add records still can, without a word to the administrator in the middle of an update. */
const rights = `
DO $$
DECLARE
  held record;
BEGIN
  FOR held IN
    SELECT grantee::regrole::text AS role, privilege_type AS may FROM (
      SELECT g.* FROM pg_class AS c, aclexplode(c.relacl) AS g WHERE c.oid = 'audit_record'::regclass
      UNION ALL
      SELECT g.* FROM pg_attribute AS a, aclexplode(a.attacl) AS g
      WHERE a.attrelid = 'audit_record'::regclass AND a.attname = 'hash'
    ) AS rights WHERE grantee <> 0 AND privilege_type IN ('SELECT', 'INSERT')
  LOOP
    IF held.may = 'SELECT' THEN
      EXECUTE format('GRANT SELECT ON app_owner TO %s', held.role);
    ELSE
      EXECUTE format('GRANT INSERT (credential_id, owner, previous_owner) ON audit_record TO %s', held.role);
    END IF;
  END LOOP;
END $$;`;

/** What leads from the first version of the schema to the second. Released, it never changes. */
export const ownersSchema: string = [
  columns,
  table,
  projection,
  append,
  rights,
  "UPDATE audit_meta SET version = 2;",
].join("\n");
