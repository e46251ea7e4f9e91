import { setTimeout as sleep } from "node:timers/promises";
import type { Rate } from "../../config/rate.ts";
import type { RedisLink, RedisPlace, RedisTimes, SharedDraw } from "./redis-link.ts";
import { reasonOf, Trouble } from "./trouble.ts";

/** How long the server may take, and how long it is left alone after it failed, in ms; up to half of that is left out at random. */
export interface RedisPatience extends RedisTimes {
  readonly pauseMs: number;
}

const patience: RedisPatience = { openMs: 1_000, answerMs: 50, pauseMs: 1_000 };

/** Is told when the store becomes usable or stops being so, and why in a few words, which show no secret. */
export type OnStoreChange = (usable: boolean, reason: string) => void;

/**
 * Buckets that all replicas share. When the server is away, hangs, refuses or was replaced, that is known after one
 * unanswered draw; from then on nobody waits for it, until an attempt in the background has shown that it is back.
 */
export class RedisBuckets {
  readonly #place: RedisPlace;
  readonly #patience: RedisPatience;
  readonly #onChange: OnStoreChange;
  readonly #closing = new AbortController();
  readonly #running: Promise<void>;
  #link: RedisLink | undefined;
  #usable: boolean | undefined;

  /** Starts to connect, and goes on trying. */
  constructor(place: RedisPlace, onChange: OnStoreChange, times: Partial<RedisPatience> = {}) {
    this.#place = place;
    this.#onChange = onChange;
    this.#patience = { ...patience, ...times };
    this.#running = this.#run();
  }

  /** True while draws are made there. */
  get usable(): boolean {
    return this.#usable === true;
  }

  /** Takes a token; undefined while the server cannot be used, after an answer's time at the latest. */
  async draw(key: string, rate: Rate): Promise<SharedDraw | undefined> {
    return this.#usable ? this.#link?.draw(key, rate) : undefined;
  }

  /** Ends the connection; the store is not usable any more. */
  async close(): Promise<void> {
    this.#closing.abort();
    this.#link?.end(new Trouble("closed"));
    await this.#running;
  }

  async #run(): Promise<void> {
    // The client is loaded only where it is used.
    const { RedisLink } = await import("./redis-link.ts");
    const { signal } = this.#closing;
    while (!signal.aborted) {
      this.#link = new RedisLink(this.#place, this.#patience);
      if (await this.#link.opened) this.#change(true, "connected");
      const cause = await this.#link.over;
      if (signal.aborted) break;
      this.#change(false, reasonOf(cause));
      const pauseMs = this.#patience.pauseMs * (1 - Math.random() / 2);
      await sleep(pauseMs, undefined, { signal }).catch(() => undefined);
    }
    this.#usable = false;
  }

  #change(usable: boolean, reason: string): void {
    if (this.#usable === usable) return;
    this.#usable = usable;
    this.#onChange(usable, reason);
  }
}
