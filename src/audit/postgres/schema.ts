import { appendFunction, appendLock } from "./append.ts";
import { ownersSchema } from "./owners-schema.ts";

/** Key of the advisory lock under which months are removed. */
const dropLock = "4410251883570926102";

/**
 * The records, one partition for each month. Text is compared by bytes, so that the order of streams is the same
 * everywhere. The primary key begins with the order of chains, which so needs no index of its own.
 */
const tables = `
CREATE TABLE audit_meta (version integer NOT NULL);
INSERT INTO audit_meta VALUES (1);
CREATE SEQUENCE audit_position;
CREATE TABLE audit_record (
  position bigint NOT NULL DEFAULT nextval('audit_position'),
  stream text COLLATE "C" NOT NULL,
  seq bigint NOT NULL,
  segment text COLLATE "C" NOT NULL,
  time bigint NOT NULL,
  kind text COLLATE "C" NOT NULL,
  request_id text COLLATE "C",
  caller text COLLATE "C",
  operation text COLLATE "C",
  api_app_id text COLLATE "C",
  outcome text COLLATE "C",
  closes_stream text COLLATE "C",
  closes_seq bigint,
  logids text[] COLLATE "C" NOT NULL,
  text text COLLATE "C" NOT NULL,
  hash text COLLATE "C" NOT NULL,
  PRIMARY KEY (stream, seq, segment)
) PARTITION BY LIST (segment);`;

/**
 * Lists are read by position, newest first as a rule: an index over values that many rows share goes on with it.
 * There is none for the values of `kind` and `outcome` that every other row has; those are found without.
 */
const indexes = `
CREATE INDEX ON audit_record (position);
CREATE INDEX ON audit_record (time);
CREATE INDEX ON audit_record (request_id);
CREATE INDEX ON audit_record (caller, position);
CREATE INDEX ON audit_record (operation, position);
CREATE INDEX ON audit_record (api_app_id, position);
CREATE INDEX ON audit_record (kind, position) WHERE kind <> 'attempt' AND kind <> 'outcome';
CREATE INDEX ON audit_record (outcome, position) WHERE outcome <> 'done';
CREATE INDEX ON audit_record (closes_stream, closes_seq) WHERE closes_stream IS NOT NULL;
CREATE INDEX ON audit_record USING gin (logids);`;

/**
 * Refuses every change of a record, the owner's too. A trigger for statements stays with a partition that is detached;
 * ALWAYS lets it act also in sessions that play back a replication.
 */
const refusal = `
CREATE FUNCTION audit_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'records of the audit trail are not changed or removed';
END $$;
CREATE TRIGGER audit_refuse BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_record
  FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse();
ALTER TABLE audit_record ENABLE ALWAYS TRIGGER audit_refuse;`;

/** As a query of its own it sees what was made while a lock was waited for; `to_regclass` may remember what was before. */
const isMissing =
  "NOT EXISTS (SELECT FROM pg_tables WHERE schemaname = current_schema() AND tablename = part)";

/**
 * Runs as the owner, so that who may only insert gets partitions. One that is made first and attached afterwards waits
 * for no reader; the lock is taken before the tables are, as appending does.
 */
const ensureSegment = `
CREATE FUNCTION audit_ensure_segment(segment text) RETURNS void
  LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
  part text := 'audit_record_' || translate(segment, '-', '_');
BEGIN
  IF segment !~ '^[0-9]{4}-(0[1-9]|1[0-2])$' THEN
    RAISE EXCEPTION 'not a month: %', segment;
  END IF;
  IF ${isMissing} THEN
    PERFORM pg_advisory_xact_lock(${appendLock});
    IF ${isMissing} THEN
      EXECUTE format('CREATE TABLE %I (LIKE audit_record INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', part);
      EXECUTE format('CREATE TRIGGER audit_refuse BEFORE UPDATE OR DELETE OR TRUNCATE ON %I
        FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse()', part);
      EXECUTE format('ALTER TABLE %I ENABLE ALWAYS TRIGGER audit_refuse', part);
      EXECUTE format('ALTER TABLE audit_record ATTACH PARTITION %I FOR VALUES IN (%L)', part, segment);
    END IF;
  END IF;
END $$;
REVOKE EXECUTE ON FUNCTION audit_ensure_segment FROM PUBLIC;`;

/**
 * Removes a month. Nobody is held up while it waits for the month itself, until a vacuum there gives way for instance.
 * But to drop it waits for all readers of the trail, and everybody waits behind it: so it gives up before they would.
 */
const dropSegment = `
CREATE FUNCTION audit_drop_segment(segment text) RETURNS bigint
  LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT SET lock_timeout = '10s' AS $$
DECLARE
  part text := 'audit_record_' || translate(segment, '-', '_');
  records bigint := 0;
BEGIN
  PERFORM pg_advisory_xact_lock(${dropLock});
  IF segment ~ '^[0-9]{4}-(0[1-9]|1[0-2])$' AND NOT ${isMissing} THEN
    EXECUTE format('LOCK TABLE %I IN SHARE MODE', part);
    EXECUTE format('SELECT count(*) FROM %I', part) INTO records;
    SET LOCAL lock_timeout = '150ms';
    EXECUTE format('DROP TABLE %I', part);
  END IF;
  RETURN records;
END $$;
REVOKE EXECUTE ON FUNCTION audit_drop_segment FROM PUBLIC;`;

const columns = `stream, seq, segment, time, kind, request_id, caller, operation, api_app_id, outcome,
    closes_stream, closes_seq, logids, text, hash`;

const append = appendFunction({ create: "CREATE", columns, values: columns });

/** What leads from each version of the schema to the next; the first makes all of it. Released ones never change. */
export const migrations: readonly string[] = [
  [tables, indexes, refusal, ensureSegment, dropSegment, append].join("\n"),
  ownersSchema,
];
