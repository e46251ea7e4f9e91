import fc from "fast-check";
import { slackMs } from "../../../src/callers/rate-limit/bucket.ts";
import { Rate } from "../../../src/config/rate.ts";

/** A bucket as one would describe it: so many tokens, and more as time goes by. */
export class ReferenceBucket {
  readonly #rate: Rate;
  readonly #slack: number;
  #tokens: number;
  #at = 0;

  constructor(rate: Rate) {
    this.#rate = rate;
    this.#slack = (slackMs(rate) * rate.quota) / rate.windowMs;
    this.#tokens = rate.quota;
  }

  /** Takes a token at this time in ms, if there is one. */
  take(now: number): boolean {
    const { quota, windowMs } = this.#rate;
    this.#tokens = Math.min(quota, this.#tokens + ((now - this.#at) * quota) / windowMs);
    this.#at = now;
    if (this.#tokens < 1 - this.#slack) return false;
    this.#tokens = Math.max(0, this.#tokens - 1);
    return true;
  }

  /** Whole tokens left. */
  get remaining(): number {
    return Math.floor(this.#tokens + this.#slack);
  }
}

/** Rates as they can be configured, small enough for a test to exhaust them. */
export const rates = fc
  .tuple(fc.integer({ min: 1, max: 60 }), fc.constantFrom(1_000, 60_000, 3_600_000))
  .map(([quota, windowMs]) => new Rate(quota, windowMs));

/** Times of takes in ms, in order: bursts, and pauses about as long as the window of some rate. */
export function times(rate: Rate): fc.Arbitrary<number[]> {
  const pause = fc.oneof(
    { weight: 4, arbitrary: fc.constant(0) },
    { weight: 2, arbitrary: fc.nat({ max: Math.ceil((2 * rate.windowMs) / rate.quota) }) },
    { weight: 1, arbitrary: fc.nat({ max: 2 * rate.windowMs }) },
  );
  return fc.array(pause, { maxLength: 200 }).map((pauses) => {
    let now = 0;
    return pauses.map((ms) => {
      now += ms;
      return now;
    });
  });
}

/** The most takes that lie in any stretch of time, beyond what quota and refill allow for it; at most 0 if all is well. */
export function excess(allowedAt: readonly number[], rate: Rate): number {
  const { quota, windowMs } = rate;
  let most = Number.NEGATIVE_INFINITY;
  for (const [first, from] of allowedAt.entries()) {
    for (const [last, to] of allowedAt.entries()) {
      if (last < first) continue;
      const bound = Math.floor(quota + ((to - from + slackMs(rate)) * quota) / windowMs);
      most = Math.max(most, last - first + 1 - bound);
    }
  }
  return most;
}
