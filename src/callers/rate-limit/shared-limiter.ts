import type { Rate } from "../../config/rate.ts";
import { LocalLimiter } from "./local-limiter.ts";
import type { RedisBuckets } from "./redis-buckets.ts";
import { type RateVerdict, unlimited, verdictOf } from "./verdict.ts";

/**
 * Limits that all replicas share. While the store is away each replica keeps to its part of every limit by itself: no
 * request waits for the store then, and none goes unlimited.
 */
export class SharedLimiter {
  readonly #shared: RedisBuckets;
  readonly #replicas: number;
  readonly #local: LocalLimiter;

  constructor(shared: RedisBuckets, replicas: number, local = new LocalLimiter()) {
    this.#shared = shared;
    this.#replicas = replicas;
    this.#local = local;
  }

  /** Takes a token out of the bucket of this key. */
  async take(key: string, rate: Rate): Promise<RateVerdict> {
    if (rate.isUnlimited) return unlimited(rate);
    const part = rate.share(this.#replicas);
    const drawn = await this.#shared.draw(key, rate);
    if (!drawn) return this.#local.take(key, part);
    // What was allowed here counts here as well, so that a store that comes and goes does not double the limit.
    if (drawn.allowed) this.#local.charge(key, part);
    return verdictOf(rate, drawn.allowed, drawn.untilFullMs);
  }
}
