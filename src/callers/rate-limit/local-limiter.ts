import type { Rate } from "../../config/rate.ts";
import { Buckets } from "./buckets.ts";
import { type RateVerdict, unlimited, verdictOf } from "./verdict.ts";

/**
 * Limits within this process. There is one bucket for each caller and class that was lately in use, so the callers
 * file bounds their number, and none is ever forgotten before it is full.
 */
export class LocalLimiter {
  readonly #buckets = new Buckets();
  readonly #now: () => number;

  /** @param now monotonic ms. */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** Buckets in memory. */
  get size(): number {
    return this.#buckets.size;
  }

  /** Takes a token out of the bucket of this key. */
  take(key: string, rate: Rate): RateVerdict {
    if (rate.isUnlimited) return unlimited(rate);
    const now = this.#now();
    const { allowed, fullAt } = this.#buckets.draw(key, rate, now);
    return verdictOf(rate, allowed, fullAt - now);
  }

  /** Counts a request that was allowed elsewhere. */
  charge(key: string, rate: Rate): void {
    this.#buckets.charge(key, rate, this.#now());
  }
}
