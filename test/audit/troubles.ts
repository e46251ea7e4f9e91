import { linkSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { Client } from "pg";
import type { Teardown } from "../helpers/gateway.ts";
import type { OwnPostgres } from "../helpers/postgres.ts";
import { startDisk } from "./disk.ts";
import { startProxy } from "./proxy.ts";

/** A store, and something that befalls it. */
export interface Troubled {
  /** As AUDIT_STORE names it. */
  readonly url: string;
  readonly begin: () => unknown;
  /** Takes the cause away, and nothing else. */
  readonly end: () => unknown;
}

/** Prepares a store for a trouble; gives the reason when that cannot be done on this machine. */
export type Trouble<Place> = (place: Place) => Promise<Troubled | string> | Troubled | string;

/** Why a test with a disk of its own cannot run. */
export const needsMount = "this process may not mount a file system";

/** One that is there until the gateway is closed: a folder of tap goes first, and closing waits for the lost store. */
function newFolder(t: Teardown): string {
  const folder = mkdtempSync(join(tmpdir(), "coze-trouble-"));
  t.teardown(() => rmSync(folder, { recursive: true }));
  return folder;
}

/** What can befall an SQLite file. */
export const sqliteTroubles: Readonly<Record<string, Trouble<Teardown>>> = {
  locked: (t) => {
    const path = join(newFolder(t), "audit.db");
    const connections: DatabaseSync[] = [];
    return {
      url: `sqlite:${path}`,
      begin: () => {
        const other = new DatabaseSync(path);
        other.exec("BEGIN IMMEDIATE");
        connections.push(other);
      },
      end: () => connections.pop()?.close(),
    };
  },

  "moved away": (t) => {
    const path = join(newFolder(t), "audit.db");
    return {
      url: `sqlite:${path}`,
      begin: () => renameSync(path, `${path}.moved`),
      end: () => renameSync(`${path}.moved`, path),
    };
  },

  removed: (t) => {
    const path = join(newFolder(t), "audit.db");
    return {
      url: `sqlite:${path}`,
      begin: () => {
        linkSync(path, `${path}.kept`);
        rmSync(path);
      },
      end: () => renameSync(`${path}.kept`, path),
    };
  },

  "damaged: other bytes are in its place": (t) => {
    const path = join(newFolder(t), "audit.db");
    return {
      url: `sqlite:${path}`,
      begin: () => {
        renameSync(path, `${path}.good`);
        writeFileSync(path, "no database ".repeat(1_000));
      },
      end: () => renameSync(`${path}.good`, path),
    };
  },

  "on a full disk": (t) => {
    const disk = startDisk(t);
    if (!disk) return needsMount;
    return { url: `sqlite:${disk.folder}/audit.db`, begin: disk.fill, end: disk.empty };
  },

  "on a disk that hangs": (t) => {
    const disk = startDisk(t);
    if (!disk) return needsMount;
    return { url: `sqlite:${disk.folder}/audit.db`, begin: disk.freeze, end: disk.thaw };
  },
};

/** What can befall a PostgreSQL server, its database or the way there. */
export const postgresTroubles: Readonly<
  Record<string, Trouble<{ readonly t: Teardown; readonly postgres: OwnPostgres }>>
> = {
  stopped: ({ postgres }) => ({ url: postgres.url, begin: () => postgres.stop(), end: postgres.start }),

  crashed: ({ postgres }) => ({
    url: postgres.url,
    begin: () => postgres.stop("immediate"),
    end: postgres.start,
  }),

  "hanging in every process": ({ postgres }) => ({
    url: postgres.url,
    begin: postgres.freeze,
    end: postgres.thaw,
  }),

  "read-only": ({ postgres }) => {
    const set = (change: string) => postgres.query(`BEGIN READ WRITE; ${alter(postgres, change)}; COMMIT`);
    return {
      url: postgres.url,
      begin: async () => {
        await set("SET default_transaction_read_only = on");
        await endConnections(postgres);
      },
      end: () => set("RESET default_transaction_read_only"),
    };
  },

  "locked by a session": ({ t, postgres }) => {
    let session: Client | undefined;
    const end = async () => {
      await session?.end();
      session = undefined;
    };
    t.teardown(end);
    return {
      url: postgres.url,
      begin: async () => {
        session = new Client(postgres.url);
        await session.connect();
        await session.query("BEGIN; LOCK TABLE audit_record IN ACCESS EXCLUSIVE MODE");
      },
      end,
    };
  },

  "without the database": ({ postgres }) => {
    const name = databaseOf(postgres);
    return {
      url: postgres.url,
      begin: async () => {
        // The connection of the gateway would come back before the renaming, which takes a database without any.
        await administrate(postgres, `ALTER DATABASE ${name} ALLOW_CONNECTIONS false`);
        await administrate(postgres, endConnectionsTo(name));
        await administrate(postgres, `ALTER DATABASE ${name} RENAME TO ${name}_away`);
      },
      end: async () => {
        await administrate(postgres, `ALTER DATABASE ${name}_away RENAME TO ${name}`);
        await administrate(postgres, `ALTER DATABASE ${name} ALLOW_CONNECTIONS true`);
      },
    };
  },

  "slow: each piece takes a second on its way": async (place) => {
    const { url, proxy } = await throughProxy(place);
    return { url, begin: () => proxy.delay(1_000), end: proxy.pass };
  },

  "behind a network that swallows everything": async (place) => {
    const { url, proxy } = await throughProxy(place);
    return { url, begin: proxy.swallow, end: proxy.pass };
  },

  "behind a network that resets every connection": async (place) => {
    const { url, proxy } = await throughProxy(place);
    return { url, begin: proxy.cut, end: proxy.pass };
  },
};

async function throughProxy({ t, postgres }: { readonly t: Teardown; readonly postgres: OwnPostgres }) {
  const url = new URL(postgres.url);
  const proxy = await startProxy(t, Number(url.port));
  url.port = String(proxy.port);
  return { url: url.href, proxy };
}

function databaseOf({ url }: OwnPostgres): string {
  return new URL(url).pathname.slice(1);
}

function alter(postgres: OwnPostgres, change: string): string {
  return `ALTER DATABASE ${databaseOf(postgres)} ${change}`;
}

function endConnectionsTo(database: string): string {
  return `SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity
    WHERE datname = '${database}' AND pid <> pg_backend_pid()`;
}

async function endConnections(postgres: OwnPostgres): Promise<void> {
  await postgres.query(endConnectionsTo(databaseOf(postgres)));
}

/** Runs SQL beside the database. */
async function administrate({ url }: OwnPostgres, sql: string): Promise<void> {
  const beside = Object.assign(new URL(url), { pathname: "/postgres" });
  const client = new Client(beside.href);
  await client.connect();
  await client.query(sql);
  await client.end();
}
