import { StoreError } from "../store.ts";
import type { SqliteConnection } from "./connection.ts";
import { ownersSchema } from "./owners-schema.ts";

/** Marks a file as ours: "Coze" in ASCII. */
export const applicationId = 0x436f7a65;

/** Above this the WAL file is cut when it is begun anew. */
const maxIdleWalBytes = 64 * 1024 * 1024;

/**
 * What makes version n+1 of the schema out of version n. What was released is never changed, only followed by more.
 * Records are never updated, and deleted only with a whole month that retention has listed in `audit_pruning`.
 */
export const migrations: readonly string[] = [
  `CREATE TABLE audit_record (
     position INTEGER PRIMARY KEY AUTOINCREMENT,
     stream TEXT NOT NULL,
     seq INTEGER NOT NULL,
     segment TEXT NOT NULL,
     time INTEGER NOT NULL,
     kind TEXT NOT NULL,
     request_id TEXT,
     caller TEXT,
     operation TEXT,
     api_app_id TEXT,
     outcome TEXT,
     closes_stream TEXT,
     closes_seq INTEGER,
     text TEXT NOT NULL,
     hash TEXT NOT NULL,
     UNIQUE (stream, seq)
   ) STRICT;
   CREATE TABLE audit_logid (
     position INTEGER NOT NULL,
     logid TEXT NOT NULL,
     PRIMARY KEY (position, logid)
   ) STRICT, WITHOUT ROWID;
   CREATE TABLE audit_pruning (segment TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;

   CREATE INDEX audit_record_time ON audit_record (time);
   CREATE INDEX audit_record_segment ON audit_record (segment);
   CREATE INDEX audit_record_request_id ON audit_record (request_id) WHERE request_id IS NOT NULL;
   CREATE INDEX audit_record_caller ON audit_record (caller) WHERE caller IS NOT NULL;
   CREATE INDEX audit_record_api_app_id ON audit_record (api_app_id) WHERE api_app_id IS NOT NULL;
   CREATE INDEX audit_record_outcome ON audit_record (outcome) WHERE outcome IS NOT NULL;
   CREATE INDEX audit_record_closes ON audit_record (closes_stream, closes_seq) WHERE closes_stream IS NOT NULL;
   CREATE INDEX audit_logid_logid ON audit_logid (logid, position);

   CREATE TRIGGER audit_record_keep BEFORE UPDATE ON audit_record
   BEGIN SELECT RAISE(ABORT, 'audit records are never changed'); END;
   CREATE TRIGGER audit_logid_keep BEFORE UPDATE ON audit_logid
   BEGIN SELECT RAISE(ABORT, 'audit records are never changed'); END;
   CREATE TRIGGER audit_record_prune BEFORE DELETE ON audit_record
   WHEN OLD.segment NOT IN (SELECT segment FROM audit_pruning)
   BEGIN SELECT RAISE(ABORT, 'audit records are deleted by retention only'); END;
   CREATE TRIGGER audit_logid_prune BEFORE DELETE ON audit_logid
   WHEN OLD.position IN (SELECT position FROM audit_record)
   BEGIN SELECT RAISE(ABORT, 'audit records are deleted by retention only'); END;
   CREATE TRIGGER audit_record_pruned AFTER DELETE ON audit_record
   BEGIN DELETE FROM audit_logid WHERE position = OLD.position; END;`,
  ownersSchema,
];

/**
 * Whether a file may be changed on opening: `create` fills an empty one, `migrate` brings ours up to date, `join` takes
 * it as it is to write beside the process that made it so, `none` is for reading.
 */
export type Preparation = "create" | "migrate" | "join" | "none";

/**
 * Makes sure that the file is an audit store of this version.
 * @throws {StoreError} permanent, when it is another program's, or of a version that is not known.
 */
export function prepareSchema(connection: SqliteConnection, path: string, preparation: Preparation): void {
  if (preparation === "create" || preparation === "migrate") upgrade(connection, path, preparation);
  check(connection, path, migrations.length);
  if (preparation === "none") return;
  // Only now: WAL mode is written into the file, and a foreign one must stay as it is.
  connection.exec("PRAGMA journal_mode = WAL");
  connection.exec("PRAGMA synchronous = FULL");
  // What a long reading or a removal blew up becomes small again.
  connection.exec(`PRAGMA journal_size_limit = ${maxIdleWalBytes}`);
  // Emptying the WAL file would hold up the process beside, which does so itself.
  if (preparation === "join") connection.exec("PRAGMA wal_autocheckpoint = 0");
  // The first reading makes the WAL file, which belongs to what stands at the path.
  check(connection, path, migrations.length);
}

function upgrade(connection: SqliteConnection, path: string, preparation: "create" | "migrate"): void {
  const fresh = preparation === "create" && pragma(connection, "page_count") === 0;
  connection.transaction("IMMEDIATE", () => {
    if (fresh) connection.exec(`PRAGMA application_id = ${applicationId}`);
    check(connection, path, 0);
    const missing = migrations.slice(pragma(connection, "user_version"));
    // Nothing is written when there is nothing to do: the disk may be full.
    if (missing.length > 0)
      connection.exec(`${missing.join("\n")} PRAGMA user_version = ${migrations.length}`);
  });
}

function check(connection: SqliteConnection, path: string, oldest: number): void {
  const refuse = (problem: string, absent = false): never => {
    throw new StoreError(`audit store ${path}: ${problem}`, { permanent: true, absent });
  };
  if (pragma(connection, "application_id") !== applicationId) refuse("the file is not an audit store");
  const version = pragma(connection, "user_version");
  if (version > migrations.length) refuse("a newer version of the gateway made the file; use that one");
  if (version < oldest)
    refuse("an older version of the gateway made the file; start this one to update it", true);
}

function pragma(
  connection: SqliteConnection,
  name: "application_id" | "user_version" | "page_count",
): number {
  return Number(connection.first<Record<string, number>>(`PRAGMA ${name}`)?.[name]);
}
