import type { ClientBase } from "pg";
import { StoreError } from "../store.ts";
import { sqlStateOf, storeErrorOf } from "./error.ts";
import { migrations } from "./schema.ts";
import { onConnection, type PostgresLocation, PostgresServer } from "./server.ts";

/** Key of the advisory lock under which one process sets up or changes the schema. */
const migrationLock = "1914852360512489037";
const latest = migrations.length;

/** The version of the schema before and after; 0 is an empty database. */
export interface Migrated {
  readonly from: number;
  readonly to: number;
}

/** Brings the schema to the version of this program, with the rights of its owner. Safe to run at any time. */
export async function migratePostgres(location: PostgresLocation): Promise<Migrated> {
  const server = new PostgresServer(location);
  return onConnection(server, "migration", migrate).catch((error: unknown) => {
    throw storeErrorOf(error, "migrating", server.place);
  });
}

/** Makes a store ready to be written: its schema, if the role may, and the partitions of this and the next two months. */
export async function prepare(client: ClientBase): Promise<void> {
  // Who may only insert can start as well, because nothing is changed where nothing has to be.
  if ((await schemaVersion(client)) < latest) await migrate(client);
  await client.query(`SELECT audit_ensure_segment(to_char(month + n * interval '1 month', 'YYYY-MM'))
    FROM date_trunc('month', now() AT TIME ZONE 'UTC') AS month, generate_series(0, 2) AS n`);
}

/** @throws {StoreError} when there is no trail that this program can read. */
export async function requireTrail(client: ClientBase): Promise<void> {
  const version = await schemaVersion(client);
  if (version >= latest) return;
  const problem =
    version === 0
      ? "there is no audit trail: nothing was ever stored here, or `audit migrate` has not been run"
      : "its schema is of an older version: a gateway that owns it updates it at its start, else run `audit migrate`";
  throw new StoreError(problem, { permanent: true, absent: true });
}

async function migrate(client: ClientBase): Promise<Migrated> {
  try {
    await client.query("BEGIN");
    await client.query(`SELECT pg_advisory_xact_lock(${migrationLock})`);
    const from = await schemaVersion(client);
    // Functions keep this path: what somebody else puts into a schema of theirs cannot get in front.
    await client.query(
      "SELECT set_config('search_path', quote_ident(current_schema()) || ', pg_temp', true)",
    );
    for (const migration of migrations.slice(from)) await client.query(migration);
    await client.query("COMMIT");
    return { from, to: latest };
  } catch (error) {
    if (sqlStateOf(error) !== "42501") throw error;
    throw new StoreError(
      `the role may not set up the store; run \`audit migrate\` with the role that is to own it (${(error as Error).message})`,
      { permanent: true, cause: error },
    );
  }
}

async function schemaVersion(client: ClientBase): Promise<number> {
  // No `to_regclass`: after waiting for the lock, it may remember that there was nothing before.
  const [found] = (
    await client.query<{ server: number; present: boolean }>(
      `SELECT current_setting('server_version_num')::int AS server, EXISTS (
        SELECT FROM pg_tables WHERE schemaname = ANY (current_schemas(false)) AND tablename = 'audit_meta'
      ) AS present`,
    )
  ).rows;
  requireServer(Number(found?.server));
  if (!found?.present) return 0;
  const [meta] = (await client.query<{ version: number }>("SELECT version FROM audit_meta")).rows;
  const version = Number(meta?.version);
  if (version <= latest) return version;
  throw new StoreError(`its schema ${version} is newer than this program, which knows ${latest}`, {
    permanent: true,
  });
}

/**
 * Refuses servers that are too old for partitions with what they need.
 * @param version as in `server_version_num`.
 */
export function requireServer(version: number): void {
  if (version >= 130_000) return;
  throw new StoreError(
    `PostgreSQL ${Math.floor(version / 10_000)} is too old; 13 is the oldest that will do`,
    {
      permanent: true,
    },
  );
}
