import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { randomBytes, randomInt } from "node:crypto";
import { once } from "node:events";
import { chmodSync, chownSync, globSync, mkdtempSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { Client } from "pg";
import t from "tap";
import { eventually } from "../config/eventually.ts";
import type { Teardown } from "./gateway.ts";

/** The folder of initdb and postgres: from PATH, or the newest one where Debian puts them; undefined without any. */
const binaries = [
  ...(process.env["PATH"] ?? "").split(delimiter),
  ...globSync("/usr/lib/postgresql/*/bin").sort((one, other) => version(other) - version(one)),
].find((folder) => globSync("{initdb,postgres}", { cwd: folder }).length === 2);

function version(folder: string): number {
  return Number(/\/(\d+)/.exec(folder)?.[1]);
}

/** Why tests that stop, hang or configure a server cannot run; false when they can. */
export const skipOwn = binaries ? false : "there is no PostgreSQL server: no initdb on PATH";

const given = process.env["TEST_POSTGRES"];

/** Why tests that need just a database cannot run; false when they can. */
export const skip = given ? false : skipOwn && `${skipOwn}, nor TEST_POSTGRES`;

/** One database of its own on a real server, empty, and gone when the test is over. */
export interface TestPostgres {
  /** Name of the database. */
  readonly name: string;
  /** The database as a superuser, password included. */
  readonly url: string;
  /** The database as somebody else. */
  readonly urlFor: (user: string, password: string) => string;
  /** Runs SQL in the database as superuser, each time on a connection of its own; gives the rows. */
  readonly query: <R extends object = Record<string, unknown>>(
    sql: string,
    values?: unknown[],
  ) => Promise<R[]>;
}

/** A database on a server of its own, with which a test may do what it likes. */
export interface OwnPostgres extends TestPostgres {
  /** Stops the server: `fast` ends all connections in order, `immediate` is a crash. */
  readonly stop: (how?: "fast" | "immediate") => Promise<void>;
  /** Starts a stopped server again, at the same address. */
  readonly start: () => Promise<void>;
  /** Stops every process of the server where it is, without its connections being closed: it hangs. */
  readonly freeze: () => void;
  /** Lets a hanging server go on. */
  readonly thaw: () => void;
}

let shared: Promise<PostgresServer> | undefined;

/** A database on the server of TEST_POSTGRES, or on one that all tests of this process share. */
export async function startPostgres(scope: Teardown): Promise<TestPostgres> {
  if (given) {
    const database = await createDatabase(given);
    scope.teardown(() => run(given, `DROP DATABASE ${database.name} WITH (FORCE)`));
    return database;
  }
  // It outlives the subtest that needs it first, and takes the databases with it.
  shared ??= PostgresServer.start({ teardown: (handler) => t.teardown(handler) }, {});
  return createDatabase((await shared).url);
}

/**
 * A database on a server that belongs to this test alone, whatever TEST_POSTGRES says.
 * @param settings of the server, as in postgresql.conf.
 */
export async function startOwnPostgres(
  t: Teardown,
  settings: Readonly<Record<string, string>> = {},
): Promise<OwnPostgres> {
  const server = await PostgresServer.start(t, settings);
  return { ...(await createDatabase(server.url)), ...server.control };
}

async function createDatabase(server: string): Promise<TestPostgres> {
  const name = `test_${randomBytes(6).toString("hex")}`;
  await run(server, `CREATE DATABASE ${name}`);
  const url = new URL(server);
  url.pathname = `/${name}`;
  return {
    name,
    url: url.href,
    urlFor: (user, password) => Object.assign(new URL(url), { username: user, password }).href,
    query: (sql, values) => run(url.href, sql, values),
  };
}

async function run<R extends object>(url: string, sql: string, values: unknown[] = []): Promise<R[]> {
  const client = new Client({ connectionString: url, connectionTimeoutMillis: 10_000 });
  // The query tells of it.
  client.on("error", () => {});
  try {
    await client.connect();
    return (await client.query<R & Record<string, unknown>>(sql, values)).rows;
  } finally {
    void client.end();
    client.connection.stream.destroy();
  }
}

/** A server with its data in a temporary folder, on a port of loopback. */
class PostgresServer {
  readonly url: string;
  readonly #folder: string;
  readonly #arguments: readonly string[];
  #process: ChildProcess | undefined;

  private constructor(folder: string, port: number, password: string, settings: Record<string, string>) {
    this.#folder = folder;
    this.url = `postgres://postgres:${password}@127.0.0.1:${port}/postgres`;
    const all = { listen_addresses: "127.0.0.1", port, unix_socket_directories: folder, ...settings };
    this.#arguments = Object.entries(all).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
  }

  static async start(t: Teardown, settings: Record<string, string>): Promise<PostgresServer> {
    const folder = mkdtempSync(join(tmpdir(), "coze-postgres-"));
    const janitor = startJanitor(folder);
    const password = randomBytes(9).toString("hex");
    const passwordFile = join(folder, "password");
    writeFileSync(passwordFile, password);
    for (const path of [folder, passwordFile]) chownSync(path, user.uid, user.gid);
    const server = new PostgresServer(folder, await freePort(), password, settings);
    t.teardown(async () => {
      server.thaw();
      janitor.ref();
      janitor.stdin?.end();
      await once(janitor, "close");
    });
    const settled = ["--encoding=UTF8", "--no-locale", "--auth=scram-sha-256", "--no-sync"];
    execFileSync(
      join(String(binaries), "initdb"),
      ["-D", join(folder, "data"), "--username=postgres", `--pwfile=${passwordFile}`, ...settled],
      { ...user, cwd: folder, stdio: "ignore" },
    );
    await server.start();
    return server;
  }

  get control(): Omit<OwnPostgres, keyof TestPostgres> {
    return {
      stop: (how) => this.stop(how),
      start: () => this.start(),
      freeze: () => this.freeze(),
      thaw: () => this.thaw(),
    };
  }

  async start(): Promise<void> {
    const log = openSync(join(this.#folder, "log"), "a");
    const started = spawn(
      join(String(binaries), "postgres"),
      ["-D", join(this.#folder, "data"), ...this.#arguments],
      { ...user, cwd: this.#folder, stdio: ["ignore", log, log] },
    );
    started.unref();
    this.#process = started;
    await eventually("a server that takes connections", async () => {
      if (started.exitCode !== null) throw new Error(readFileSync(join(this.#folder, "log"), "utf8"));
      return run(this.url, "SELECT").catch(() => false);
    });
  }

  async stop(how: "fast" | "immediate" = "fast"): Promise<void> {
    this.#process?.ref();
    const ended = once(this.#process as ChildProcess, "close");
    this.#process?.kill(how === "fast" ? "SIGINT" : "SIGQUIT");
    await ended;
  }

  freeze(): void {
    // The first process makes the others, so it stops first and goes on last.
    this.#process?.kill("SIGSTOP");
    this.#signalChildren("SIGSTOP");
  }

  thaw(): void {
    this.#signalChildren("SIGCONT");
    this.#process?.kill("SIGCONT");
  }

  #signalChildren(signal: NodeJS.Signals): void {
    const parent = this.#process?.pid;
    const processes = execFileSync("ps", ["-A", "-o", "pid=,ppid="], { encoding: "utf8" });
    for (const [, child, itsParent] of processes.matchAll(/(\d+) +(\d+)/g)) {
      if (Number(itsParent) !== parent) continue;
      try {
        process.kill(Number(child), signal);
      } catch {
        // It has ended meanwhile.
      }
    }
  }
}

/**
 * Ends the server and removes its folder when its standard input ends: at the teardown, and also when the test process
 * is killed. It stands in a session of its own, where Ctrl-C does not reach it. No process waits for these to end.
 */
function startJanitor(folder: string): ChildProcess {
  const script = `cat > /dev/null
    pid=$(head -n 1 data/postmaster.pid 2> /dev/null) && kill -QUIT "$pid"
    while [ -n "$pid" ] && kill -0 "$pid" 2> /dev/null; do sleep 0.02; done
    cd / && rm -rf "$0"`;
  const janitor = spawn("sh", ["-c", script, folder], { cwd: folder, detached: true });
  janitor.unref();
  for (const pipe of janitor.stdio) (pipe as Socket).unref();
  return janitor;
}

/** Makes a file one that servers of `startOwnPostgres` can read and nobody else can, as they demand of a key. */
export function giveToServer(path: string): void {
  chmodSync(path, 0o600);
  chownSync(path, user.uid, user.gid);
}

/** PostgreSQL refuses to run as root, so it becomes somebody else then. */
const user = serverUser();

function serverUser(): { uid: number; gid: number } {
  const own = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
  if (own.uid !== 0) return own;
  const users = readFileSync("/etc/passwd", "utf8");
  const [, uid, gid] = /^postgres:x:(\d+):(\d+)/m.exec(users) ?? /^nobody:x:(\d+):(\d+)/m.exec(users) ?? [];
  return { uid: Number(uid), gid: Number(gid) };
}

/** A port below those that the system hands out by itself, so that it is still free when a stopped server returns. */
async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(10_000, 30_000);
    const probe = createServer().listen(port, "127.0.0.1");
    const free = await Promise.race([
      once(probe, "listening").then(() => true),
      once(probe, "error").then(() => false),
    ]);
    probe.close();
    if (free) return port;
  }
}
