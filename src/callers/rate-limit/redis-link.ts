import { readFile } from "node:fs/promises";
import { type CommandParser, createClient, defineScript } from "@redis/client";
import type { Rate } from "../../config/rate.ts";
import type { RateLimitStoreUrl } from "../../config/rate-limit-store-url.ts";
import { bucketScript } from "./script.ts";
import { reasonOf, Trouble } from "./trouble.ts";
import { Watchdog } from "./watchdog.ts";

/** Where the server is. */
export interface RedisPlace {
  readonly url: RateLimitStoreUrl;
  /** File with the password, read at each connect, so that it can be rotated. */
  readonly passwordFile?: string | undefined;
}

/** How long the server may take, in ms. */
export interface RedisTimes {
  /** For a connection, from its start until a first bucket was drawn from. */
  readonly openMs: number;
  /** For one answer. */
  readonly answerMs: number;
}

/** What became of an attempt to take a token out of a shared bucket. */
export interface SharedDraw {
  readonly allowed: boolean;
  readonly untilFullMs: number;
}

const prefix = "cgw:rate:";
/** Far more answers than can be awaited at one time: those overdue end the connection. */
const mostWaiting = 10_000;

/** One connection to the server, from the attempt to make it until it fails in any way; then it is over for good. */
export class RedisLink {
  /** True once the server has shown that it can do what is asked of it; false when that failed. */
  readonly opened: Promise<boolean>;
  /** Resolves with the cause when the connection is over. */
  readonly over: Promise<unknown>;
  readonly #client: Client;
  readonly #watchdog: Watchdog;
  readonly #resolveOver: (cause: unknown) => void;
  #isOver = false;

  /** Starts to connect. */
  constructor(place: RedisPlace, { openMs, answerMs }: RedisTimes) {
    const { promise, resolve } = Promise.withResolvers<unknown>();
    this.over = promise;
    this.#resolveOver = resolve;
    this.#watchdog = new Watchdog(answerMs, () => this.end(new Trouble("no answer in time")));
    this.#client = newClient(place, openMs);
    this.#client.on("error", (error: unknown) => this.end(error));
    // What was ended while its socket was being connected gets the socket all the same.
    this.#client.on("connect", () => this.#isOver && this.#client.destroy());
    const timer = setTimeout(() => this.end(new Trouble("no connection in time")), openMs);
    const opening = this.#open().finally(() => clearTimeout(timer));
    this.opened = Promise.race([opening, this.over.then(() => false)]);
  }

  /** Takes a token; undefined when the connection is or thereby becomes over. Never later than the time for an answer. */
  async draw(key: string, rate: Rate): Promise<SharedDraw | undefined> {
    try {
      return await this.#watchdog.watch(this.#client.draw(prefix + key, rate));
    } catch (error) {
      this.end(error);
      return undefined;
    }
  }

  /** Ends the connection, whatever its state; all that wait for an answer get none. */
  end(cause: unknown): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#client.destroy();
    this.#resolveOver(cause);
  }

  /** A draw is the proof: a replica refuses it, and so does a server that is still loading or out of memory. */
  async #open(): Promise<boolean> {
    try {
      await this.#client.connect();
      await this.#client.draw(`${prefix}probe`, { quota: 1_000, windowMs: 1_000 });
    } catch (error) {
      this.end(error);
    }
    return !this.#isOver;
  }
}

type Client = ReturnType<typeof newClient>;

const drawScript = defineScript({
  SCRIPT: bucketScript,
  NUMBER_OF_KEYS: 1,
  parseCommand(parser: CommandParser, key: string, { quota, windowMs }: Pick<Rate, "quota" | "windowMs">) {
    parser.pushKey(key);
    parser.push(String(quota), String(windowMs));
  },
  transformReply: ([allowed, untilFullMs]: [number, string]): SharedDraw => ({
    allowed: allowed === 1,
    untilFullMs: Number(untilFullMs),
  }),
});

function newClient(place: RedisPlace, openMs: number) {
  const { host, port, tls, database } = place.url;
  return createClient({
    scripts: { draw: drawScript },
    // In RESP 3 the password goes with HELLO, and a server that does not know HELLO quotes it in its answer.
    RESP: 2,
    maintNotifications: "disabled",
    socket: {
      ...{ host, port, connectTimeout: openMs, reconnectStrategy: false },
      ...(tls ? { tls, rejectUnauthorized: true } : {}),
    },
    database,
    credentialsProvider: { type: "async-credentials-provider", credentials: () => credentialsOf(place) },
    // Its own limit of time would end with the sending of a command.
    commandOptions: { timeout: 0 },
    commandsQueueMaxLength: mostWaiting,
    disableOfflineQueue: true,
    // A user with no more rights than are needed here would be refused it at each connect.
    disableClientInfo: true,
  });
}

async function credentialsOf({ url, passwordFile }: RedisPlace): Promise<BasicAuth> {
  const password = passwordFile === undefined ? url.revealPassword() : await readPassword(passwordFile);
  return {
    ...(url.username === undefined ? {} : { username: url.username }),
    ...(password === undefined ? {} : { password }),
  };
}

async function readPassword(path: string): Promise<string> {
  const content = await readFile(path, "utf8").catch((error: unknown) => {
    throw new Trouble(`the file with the password cannot be read: ${reasonOf(error)}`);
  });
  const password = content.trim();
  if (password === "") throw new Trouble("the file with the password is empty");
  return password;
}

interface BasicAuth {
  username?: string;
  password?: string;
}
