import { ownerExpectedBy, ownerSaidBy } from "../owner-rule.ts";

/** Columns for what credentials did and who owns an app, with what the records say already. */
const columns = `
  ALTER TABLE audit_record ADD COLUMN credential_id TEXT;
  ALTER TABLE audit_record ADD COLUMN owner TEXT;
  ALTER TABLE audit_record ADD COLUMN previous_owner TEXT;
  DROP TRIGGER audit_record_keep;
  UPDATE audit_record SET credential_id = json_extract(text, '$.credential_id')
  WHERE CASE WHEN json_valid(text) THEN json_type(text, '$.credential_id') END = 'text';
  CREATE TRIGGER audit_record_keep BEFORE UPDATE ON audit_record
  BEGIN SELECT RAISE(ABORT, 'audit records are never changed'); END;
  CREATE INDEX audit_record_credential_id ON audit_record (credential_id) WHERE credential_id IS NOT NULL;`;

/**
 * Who owns each app now, and the record that says so: a projection of the records, which outlives those that retention
 * removes. An empty owner is one that an operator removed.
 */
const table = `
  CREATE TABLE app_owner (
    api_app_id TEXT PRIMARY KEY,
    owner TEXT NOT NULL,
    since INTEGER NOT NULL,
    stream TEXT NOT NULL,
    seq INTEGER NOT NULL,
    position INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX app_owner_owner ON app_owner (owner, api_app_id);
  INSERT OR IGNORE INTO app_owner (api_app_id, owner, since, stream, seq, position)
  SELECT api_app_id, caller, time, stream, seq, position FROM audit_record
  WHERE kind = 'outcome' AND operation = 'create_api_app' AND outcome = 'done'
    AND api_app_id IS NOT NULL AND caller IS NOT NULL
  ORDER BY position;`;

/** With the record, in its transaction. */
const projection = `
  CREATE TRIGGER audit_record_own AFTER INSERT ON audit_record
  WHEN ${ownerSaidBy("NEW")} IS NOT NULL
  BEGIN
    INSERT INTO app_owner (api_app_id, owner, since, stream, seq, position)
    SELECT NEW.api_app_id, ${ownerSaidBy("NEW")}, NEW.time, NEW.stream, NEW.seq, NEW.position
    WHERE ${ownerExpectedBy("NEW")} = coalesce((SELECT owner FROM app_owner WHERE api_app_id = NEW.api_app_id), '')
    ON CONFLICT (api_app_id) DO UPDATE SET owner = excluded.owner, since = excluded.since, stream = excluded.stream,
      seq = excluded.seq, position = excluded.position;
  END;`;

/** True for an owner that a record says, and that is not older than the one before. */
const backed = `EXISTS (
    SELECT 1 FROM audit_record AS r WHERE r.stream = NEW.stream AND r.seq = NEW.seq AND r.position = NEW.position
      AND r.time = NEW.since AND r.api_app_id = NEW.api_app_id AND ${ownerSaidBy("r")} = NEW.owner
  ) AND NEW.position >= coalesce((SELECT position FROM app_owner WHERE api_app_id = NEW.api_app_id), 0)`;

/** SQLite cannot tell who changes a row; but it can ask for the record that says so. */
const refusal = ["INSERT", "UPDATE"]
  .map(
    (change) => `
  CREATE TRIGGER app_owner_${change.toLowerCase()} BEFORE ${change} ON app_owner WHEN NOT (${backed})
  BEGIN SELECT RAISE(ABORT, 'owners are changed by records only'); END;`,
  )
  .join("");

const keeping = `
  CREATE TRIGGER app_owner_delete BEFORE DELETE ON app_owner
  BEGIN SELECT RAISE(ABORT, 'owners are changed by records only'); END;`;

/** What leads from the first version of the schema to the second. Released, it never changes. */
export const ownersSchema: string = [columns, table, projection, refusal, keeping].join("\n");
