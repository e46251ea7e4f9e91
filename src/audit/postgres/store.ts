import { setTimeout as sleep } from "node:timers/promises";
import { Pool, type QueryResultRow } from "pg";
import type { Link } from "../record.ts";
import {
  type AppOwner,
  type AuditFilter,
  type AuditStore,
  type ChainPoint,
  type OwnersPage,
  type Page,
  type Prunable,
  type Row,
  type StoredRow,
  StoreError,
  type StoreOptions,
} from "../store.ts";
import { damageQuery } from "./damage.ts";
import { storeErrorOf } from "./error.ts";
import { prepare, requireTrail } from "./migrate.ts";
import { ownersDamageQuery, ownersOfQuery, ownersQuery } from "./owners.ts";
import { findPrunable, removeSegments } from "./prune.ts";
import { chainQuery, findQuery, headsQuery, monthsQuery, type Query, unfinishedQuery } from "./queries.ts";
import { onConnection, type PostgresLocation, PostgresServer } from "./server.ts";
import { PostgresWriter } from "./writer.ts";

/** How long connections have to end in order, in ms. */
const farewellMs = 1_000;

/** Opens the store in a PostgreSQL database; to write, unless it is for a command, it sets up what is missing there. */
export async function openPostgresStore(
  location: PostgresLocation,
  { stream, beside = false }: StoreOptions,
): Promise<AuditStore> {
  const server = new PostgresServer(location);
  const writer = stream === undefined ? undefined : new PostgresWriter(server, stream);
  try {
    if (writer && !beside) await onConnection(server, "migration", prepare);
    else await onConnection(server, "reader", requireTrail);
    await writer?.open();
  } catch (error) {
    throw storeErrorOf(error, "opening the audit store", server.place);
  }
  return new PostgresStore(server, writer);
}

class PostgresStore implements AuditStore {
  /** The server repairs its own log of writes. */
  readonly repairedBytes = 0;
  readonly #server: PostgresServer;
  readonly #writer: PostgresWriter | undefined;
  readonly #readers: Pool;
  /** Apart, so that no request waits behind a search. */
  readonly #lookUps: Pool;
  #closed: Promise<void> | undefined;

  constructor(server: PostgresServer, writer: PostgresWriter | undefined) {
    this.#server = server;
    this.#writer = writer;
    this.#readers = new Pool({ ...server.config("reader"), max: 3 });
    this.#lookUps = new Pool({ ...server.config("lookUp"), max: 2 });
    // An idle connection that breaks is replaced when one is needed.
    for (const pool of [this.#readers, this.#lookUps]) pool.on("error", () => {});
  }

  append(rows: readonly Row[], after: Link | undefined): Promise<void> {
    return this.#write("append", (writer) => writer.append(rows, after));
  }

  claim(stream: string): Promise<boolean> {
    return this.#write("claim", (writer) => writer.claim(stream));
  }

  release(stream: string): Promise<void> {
    return this.#write("release", (writer) => writer.release(stream));
  }

  async find(filter: AuditFilter, page: Page): Promise<StoredRow[]> {
    return this.#read("find", findQuery(filter, page, await this.#months(filter)));
  }

  chain(after: ChainPoint | undefined, limit: number): Promise<StoredRow[]> {
    return this.#read("chain", chainQuery(after, limit));
  }

  async ownersOf(apiAppIds: readonly string[]): Promise<ReadonlyMap<string, string>> {
    if (apiAppIds.length === 0) return new Map();
    const owners = await this.#read<Pick<AppOwner, "api_app_id" | "owner">>(
      "owners of apps",
      ownersOfQuery(apiAppIds),
      this.#lookUps,
    );
    return new Map(owners.map(({ api_app_id, owner }) => [api_app_id, owner]));
  }

  owners(page: OwnersPage): Promise<AppOwner[]> {
    return this.#read<AppOwner>("owners", ownersQuery(page));
  }

  heads(): Promise<StoredRow[]> {
    return this.#read("heads", headsQuery);
  }

  unfinished(stream: string, settledTo: number): Promise<StoredRow[]> {
    return this.#read("unfinished", unfinishedQuery(stream, settledTo));
  }

  prunable(before: string): Promise<Prunable | undefined> {
    return this.#do("prunable", () =>
      onConnection(this.#server, "maintenance", (client) => findPrunable(client, before)),
    );
  }

  remove(segments: readonly string[]): Promise<number> {
    return this.#write("remove", () =>
      onConnection(this.#server, "maintenance", (client) => removeSegments(client, segments)),
    );
  }

  async damage(): Promise<string[]> {
    const lines = async (query: Query) =>
      (await this.#read<{ line: string }>("damage", query)).map(({ line }) => line);
    return [...(await lines(damageQuery)), ...(await lines(ownersDamageQuery))];
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    const ended = Promise.allSettled([this.#writer?.close(), this.#readers.end(), this.#lookUps.end()]);
    await Promise.race([ended, sleep(farewellMs, undefined, { ref: false })]);
    this.#server.cut();
  }

  async #months(filter: AuditFilter): Promise<string[] | undefined> {
    if (filter.from === undefined && filter.to === undefined) return undefined;
    return (await this.#read<{ segment: string }>("find", monthsQuery(filter))).map(({ segment }) => segment);
  }

  #read<R extends object = StoredRow>(
    what: string,
    { values, ...query }: Query,
    pool = this.#readers,
  ): Promise<R[]> {
    return this.#do(
      what,
      async () => (await pool.query<R & QueryResultRow>({ ...query, values: [...values] })).rows,
    );
  }

  #write<T>(what: string, work: (writer: PostgresWriter) => Promise<T>): Promise<T> {
    return this.#do(what, () => {
      if (!this.#writer) throw new StoreError("the store is open for reading only", { permanent: true });
      return work(this.#writer);
    });
  }

  async #do<T>(what: string, work: () => Promise<T>): Promise<T> {
    try {
      if (this.#closed) throw new StoreError("the store is closed", { permanent: true });
      return await work();
    } catch (error) {
      throw storeErrorOf(error, what, this.#server.place);
    }
  }
}
