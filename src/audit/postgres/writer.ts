import { createHash } from "node:crypto";
import { Client } from "pg";
import type { Link } from "../record.ts";
import type { Row } from "../store.ts";
import { leavesUsable } from "./error.ts";
import type { PostgresServer } from "./server.ts";

/** Key of the advisory lock that is held while the process of a stream lives. */
export function streamLock(stream: string): string {
  return createHash("sha256").update(`coze-gateway:stream:${stream}`).digest().readBigInt64BE().toString();
}

/** A connection, and how to give it up, whatever it waits for. */
interface Connected {
  readonly client: Client;
  readonly drop: () => void;
}

/**
 * The one connection by which a process writes. While it stands it shares the lock of its stream; who takes a stream
 * into care needs that lock alone. So a connection that broke unseen by the server cannot lock out the one after it.
 * A broken connection is dropped, and the next call makes a new one.
 */
export class PostgresWriter {
  readonly #server: PostgresServer;
  readonly #stream: string;
  /** Streams in care; they are lost with the connection, whose locks they are. */
  readonly #claimed = new Set<string>();
  #connected: Promise<Connected> | undefined;

  constructor(server: PostgresServer, stream: string) {
    this.#server = server;
    this.#stream = stream;
  }

  /** Connects, unless there is a connection. */
  async open(): Promise<void> {
    await this.#connection();
  }

  /** See AuditStore. It is one statement, and so one transaction. */
  async append(rows: readonly Row[], after: Link | undefined): Promise<void> {
    await this.#query("SELECT audit_append($1, $2, $3)", [JSON.stringify(rows), after?.seq, after?.hash]);
  }

  /** See AuditStore. */
  async claim(stream: string): Promise<boolean> {
    // The lock itself would be given to this connection once more.
    if (stream === this.#stream || this.#claimed.has(stream)) return false;
    this.#claimed.add(stream);
    const taken = await this.#lock("pg_try_advisory_lock", stream).catch((error: unknown) => {
      this.#claimed.delete(stream);
      throw error;
    });
    if (!taken) this.#claimed.delete(stream);
    return taken;
  }

  /** See AuditStore. */
  async release(stream: string): Promise<void> {
    if (this.#claimed.delete(stream)) await this.#lock("pg_advisory_unlock", stream);
  }

  /** Ends the connection in order. */
  async close(): Promise<void> {
    const connected = await this.#connected?.catch(() => undefined);
    await connected?.client.end();
  }

  async #lock(operation: "pg_try_advisory_lock" | "pg_advisory_unlock", stream: string): Promise<boolean> {
    const [row] = await this.#query(`SELECT ${operation}($1) AS done`, [streamLock(stream)]);
    return row?.["done"] === true;
  }

  async #query(text: string, values: unknown[]): Promise<Record<string, unknown>[]> {
    const { client, drop } = await this.#connection();
    try {
      return (await client.query<Record<string, unknown>>({ name: text, text, values })).rows;
    } catch (error) {
      if (!leavesUsable(error)) drop();
      throw error;
    }
  }

  #connection(): Promise<Connected> {
    this.#connected ??= this.#connect();
    return this.#connected;
  }

  async #connect(): Promise<Connected> {
    // With the pipeline, one query that gets no answer ends all that wait behind it, too.
    const client = new Client({ ...this.#server.config("writer"), pipeline: true });
    let dropped = false;
    const drop = () => {
      // Later there may be another connection, which has nothing to do with this one.
      if (dropped) return;
      dropped = true;
      this.#connected = undefined;
      this.#claimed.clear();
      client.connection.stream.destroy();
    };
    client.on("error", drop);
    client.once("end", drop);
    try {
      await client.connect();
      await client.query("SELECT pg_advisory_lock_shared($1)", [streamLock(this.#stream)]);
    } catch (error) {
      drop();
      throw error;
    }
    return { client, drop };
  }
}
