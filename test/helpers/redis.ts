import { type ChildProcess, spawn } from "node:child_process";
import { randomInt } from "node:crypto";
import { once } from "node:events";
import { globSync, mkdtempSync, openSync, readFileSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { createClient } from "@redis/client";
import { eventually } from "../config/eventually.ts";
import type { Teardown } from "./gateway.ts";

const binary = (process.env["PATH"] ?? "")
  .split(delimiter)
  .flatMap((folder) =>
    globSync("{redis,valkey}-server", { cwd: folder }).map((name) => join(folder, name)),
  )[0];

/** Why tests that need a Redis or Valkey server cannot run; false when they can. */
export const skip = binary ? false : "there is no redis-server or valkey-server on PATH";

/** What a server is started with, beyond what every one is. */
export interface RedisSettings {
  readonly password?: string;
  /** As in redis.conf, the name first. */
  readonly settings?: readonly (readonly string[])[];
}

/** A server of this test's own, in a folder of its own, without anything that outlives a stop. */
export class TestRedis {
  readonly port: number;
  /** Where it is, without password. */
  readonly url: string;
  readonly #folder: string;
  readonly #password: string | undefined;
  readonly #arguments: readonly string[];
  #process: ChildProcess | undefined;

  private constructor(folder: string, port: number, { password, settings = [] }: RedisSettings) {
    this.port = port;
    this.url = `redis://127.0.0.1:${port}`;
    this.#folder = folder;
    this.#password = password;
    const all = [
      ["port", String(port)],
      ["bind", "127.0.0.1"],
      ["dir", folder],
      ["pidfile", join(folder, "pid")],
      ["save", ""],
      ...(password === undefined ? [] : [["requirepass", password]]),
      ...settings,
    ];
    this.#arguments = all.flatMap(([name, ...values]) => [`--${name}`, ...values]);
  }

  /** Starts a server on a free port; it ends with the test. */
  static async start(t: Teardown, settings: RedisSettings = {}): Promise<TestRedis> {
    const folder = mkdtempSync(join(tmpdir(), "coze-redis-"));
    const janitor = startJanitor(folder);
    t.teardown(async () => {
      janitor.ref();
      janitor.stdin?.end();
      await once(janitor, "close");
    });
    const server = new TestRedis(folder, await freePort(), settings);
    await server.start();
    return server;
  }

  /** Starts a stopped server again, at the same address, with nothing in it. */
  async start(): Promise<void> {
    const log = openSync(join(this.#folder, "log"), "a");
    const started = spawn(String(binary), this.#arguments, { stdio: ["ignore", log, log] });
    started.unref();
    this.#process = started;
    await eventually("a server that answers", async () => {
      if (started.exitCode !== null) throw new Error(readFileSync(join(this.#folder, "log"), "utf8"));
      return this.command("PING").catch(() => false);
    });
  }

  /** Ends the server at once, with all that is in it. */
  async stop(): Promise<void> {
    this.#process?.ref();
    const ended = once(this.#process as ChildProcess, "close");
    this.#process?.kill("SIGKILL");
    await ended;
  }

  /** Stops the server where it is, without its connections being closed: it hangs. */
  freeze(): void {
    this.#process?.kill("SIGSTOP");
  }

  /** Lets a hanging server go on. */
  thaw(): void {
    this.#process?.kill("SIGCONT");
  }

  /** Runs one command on a connection of its own. */
  async command(...words: [string, ...string[]]): Promise<unknown> {
    const client = createClient({
      url: this.url,
      disableClientInfo: true,
      ...(this.#password === undefined ? {} : { password: this.#password }),
      socket: { reconnectStrategy: false },
    });
    client.on("error", () => {});
    try {
      await client.connect();
      return await client.sendCommand(words);
    } finally {
      client.destroy();
    }
  }
}

/**
 * Kills the server and removes its folder when its standard input ends: at the teardown, and also when the test process
 * is killed. It stands in a session of its own, where Ctrl-C does not reach it.
 */
function startJanitor(folder: string): ChildProcess {
  const script = `cat > /dev/null
    pid=$(cat pid 2> /dev/null) && kill -KILL "$pid" 2> /dev/null
    while [ -n "$pid" ] && kill -0 "$pid" 2> /dev/null; do sleep 0.02; done
    cd / && rm -rf "$0"`;
  const janitor = spawn("sh", ["-c", script, folder], { cwd: folder, detached: true });
  janitor.unref();
  for (const pipe of janitor.stdio) (pipe as Socket).unref();
  return janitor;
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
