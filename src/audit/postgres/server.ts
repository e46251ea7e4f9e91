import { readFile } from "node:fs/promises";
import { Socket } from "node:net";
import { Client, type ClientBase, type ClientConfig, types } from "pg";
import { StoreError } from "../store.ts";
import { type Session, sessionConfig } from "./session.ts";

/** Where a PostgreSQL store is. */
export interface PostgresLocation {
  /** `postgres://user:password@host:5432/database`; of its parameters, `options` and those for TLS are used. */
  readonly url: string;
  /** File with the password, read at each connect, so that it can be rotated. */
  readonly passwordFile?: string | undefined;
}

/** The server and database of a store, and every socket that leads there. */
export class PostgresServer {
  /** Host, port and database, for messages. */
  readonly place: string;
  readonly #target: ClientConfig;
  readonly #sockets = new Set<Socket>();

  /** @throws {StoreError} when the URL cannot be used; it does not show the URL, which can hold a password. */
  constructor({ url, passwordFile }: PostgresLocation) {
    const { host, port, user, database, password, ssl } = parsed(url);
    this.place = `${host}:${port}/${database}`;
    this.#target = {
      ...{ host, port, user, database, ssl },
      password: passwordFile === undefined ? password : () => readPassword(passwordFile),
      options: new URL(url).searchParams.get("options") ?? "",
    };
  }

  /** What the driver needs to know for a connection of this kind. */
  config(session: Session): ClientConfig {
    const { options, ...settings } = sessionConfig(session);
    return {
      ...this.#target,
      ...settings,
      options: `${this.#target.options} ${options}`,
      types: { getTypeParser },
      stream: () => this.#socket(),
    };
  }

  /** Breaks off every connection that is still open, whatever it waits for. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  #socket(): Socket {
    const socket = new Socket();
    this.#sockets.add(socket);
    socket.once("close", () => this.#sockets.delete(socket));
    return socket;
  }
}

/** Does one piece of work on a connection of its own. */
export async function onConnection<T>(
  server: PostgresServer,
  session: Session,
  work: (client: ClientBase) => Promise<T>,
): Promise<T> {
  const client = new Client(server.config(session));
  // The query under way rejects with it, too.
  client.on("error", () => {});
  try {
    await client.connect();
    return await work(client);
  } finally {
    // Says goodbye, but does not wait for the answer of a server that may hang.
    void client.end();
    client.connection.stream.destroy();
  }
}

/** The parts of the URL as the driver understands it. */
function parsed(url: string): Client {
  const wrong = (message: string) =>
    new StoreError(`the store's URL cannot be used: ${message}`, { permanent: true });
  // Part of the password would then pass for the name of the host or database.
  if (/@/.test(url.replace(/^[^/]*\/\/[^/?#]*/, ""))) {
    throw wrong("it has an @ after the host; write / ? # @ in a password as %2F %3F %23 %40");
  }
  try {
    return new Client({ connectionString: url });
  } catch (error) {
    // The error itself goes no further, because it can hold the URL.
    throw wrong((error as Error).message);
  }
}

async function readPassword(path: string): Promise<string> {
  const unusable = (problem: string) =>
    new StoreError(`the file with the store's password cannot be used: ${problem}`, { permanent: true });
  const content = await readFile(path, "utf8").catch((error: Error) => {
    throw unusable(error.message);
  });
  const password = content.trim();
  if (password === "") throw unusable(`${path} is empty`);
  return password;
}

/** bigint is 64 bits wide, but counts and times stay far below 2^53. */
const getTypeParser: typeof types.getTypeParser = (oid, format) =>
  oid === types.builtins.INT8 ? Number : types.getTypeParser(oid, format);
