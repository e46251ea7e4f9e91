import type { Brake } from "./brake.ts";

/** ms by which turns may be early, so that a burst is no more than one send and a tenth of what goes in a second. */
const burstMs = 100;

/**
 * When the next call may go to Coze: spaces the sends by the rate that is configured or that the brake leaves,
 * whichever is lower, with a small burst after a lull (a token bucket, kept as the time at which it is full). It only
 * reckons; times are monotonic ms given by the caller.
 */
export class Pacer {
  readonly #brake: Brake;
  readonly #mostRate: number;
  #fullAt = 0;

  /** @param mostRate sends a second, however well Coze takes them; infinite: no limit but the brake's. */
  constructor(brake: Brake, mostRate = Number.POSITIVE_INFINITY) {
    this.#brake = brake;
    this.#mostRate = mostRate;
  }

  /** Sends a second that are allowed now. */
  rate(now: number): number {
    return Math.min(this.#mostRate, this.#brake.rate(now));
  }

  /** ms until a call may go. */
  waitMs(now: number): number {
    return this.turnMs(1, now);
  }

  /** ms until so many calls may have gone, this one the last of them; an estimate beyond the first. */
  turnMs(turn: number, now: number): number {
    if (this.rate(now) === Number.POSITIVE_INFINITY) return 0;
    const before = turn - 1;
    const takesMs = Math.max((1000 * before) / this.#mostRate, this.#brake.msFor(before, now));
    return Math.max(0, Math.max(this.#fullAt - now, 0) + takesMs - burstMs);
  }

  /** ms after which it is worth asking again, for the caller whose turn that would be. */
  retryAfterMs(turn: number, now: number): number {
    return Math.max(this.#brake.hintMs(now), this.turnMs(turn, now));
  }

  /** Whether it is Coze's throttling that holds calls up, more than the configured rate. */
  isThrottled(now: number): boolean {
    return this.#brake.coolDownMs(now) > 0 || this.#brake.rate(now) < this.#mostRate;
  }

  /** Counts a call that goes now. */
  sent(now: number): void {
    this.#fullAt = Math.max(this.#fullAt, now) + 1000 / this.rate(now);
    this.#brake.sent(now);
  }

  /** Coze throttled a call: the brake is put on, and what was saved up for a burst is gone. */
  throttled(now: number, retryAfterMs: number | undefined): void {
    this.#brake.throttled(now, retryAfterMs);
    this.#fullAt = Math.max(this.#fullAt, now + this.#brake.coolDownMs(now) + burstMs);
  }
}
