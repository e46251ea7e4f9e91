/** Sends a second below which throttling cannot push, so that recovery is noticed. */
const leastRate = 1;
/** Sends a second that are added for each second without throttling. */
const increase = 10;
/** However long Coze asks for, it is asked again after this many ms: one odd hint must not stop the gateway for days. */
const mostCoolDownMs = 60_000;
/** Without throttling for this long, in ms, the brake is off again. */
const forgetAfterMs = 30_000;

/**
 * What throttling leaves of the send rate: nothing during a cool-down that Coze asked for, and after each throttling
 * half, which then grows again by a fixed step a second (AIMD; FAULTS 15 and 16). It only reckons; times are monotonic
 * ms given by the caller.
 */
export class Brake {
  /** Sends a second; undefined while the brake is off. */
  #rate: number | undefined;
  #rateChangedAt = 0;
  #halvedAt = 0;
  #throttledAt = 0;
  #coolUntil = 0;
  #hintedUntil = 0;
  #windowStart = 0;
  #sentInWindow = 0;
  #lastWindowRate = 0;

  /** Sends a second that are allowed outside of a cool-down; infinite while the brake is off. */
  rate(now: number): number {
    this.#recover(now);
    return this.#rate ?? Number.POSITIVE_INFINITY;
  }

  /** ms for which nothing is sent, because Coze asked for it. */
  coolDownMs(now: number): number {
    return Math.max(0, this.#coolUntil - now);
  }

  /** ms for which Coze asks to be left alone, even where the gateway itself asks again before. */
  hintMs(now: number): number {
    return this.#coolUntil > now ? this.#hintedUntil - now : 0;
  }

  /** ms that so many sends take, about, if Coze throttles none of them: the rate grows meanwhile. */
  msFor(sends: number, now: number): number {
    const rate = this.rate(now);
    if (rate === Number.POSITIVE_INFINITY) return 0;
    return (1000 * (Math.sqrt(rate ** 2 + 2 * increase * sends) - rate)) / increase;
  }

  /** Counts a send: from these the rate is taken when Coze throttles for the first time. */
  sent(now: number): void {
    if (now - this.#windowStart >= 1000) {
      this.#lastWindowRate = now - this.#windowStart < 2000 ? this.#sentInWindow : 0;
      this.#windowStart = now;
      this.#sentInWindow = 0;
    }
    this.#sentInWindow += 1;
  }

  /** Coze throttled a call; with a hint nobody sends before it has passed. */
  throttled(now: number, retryAfterMs: number | undefined): void {
    this.#recover(now);
    this.#hintedUntil = Math.max(this.#hintedUntil, now + (retryAfterMs ?? 0));
    this.#coolUntil = Math.max(this.#coolUntil, now + Math.min(retryAfterMs ?? 0, mostCoolDownMs));
    this.#throttledAt = now;
    // Many calls under way are told the same thing at once; the rate is halved once for all of them.
    if (this.#rate !== undefined && now - this.#halvedAt < 1000) return;
    const current = this.#rate ?? Math.max(this.#lastWindowRate, this.#sentInWindow);
    this.#rate = Math.max(leastRate, current / 2);
    this.#rateChangedAt = now;
    this.#halvedAt = now;
  }

  #recover(now: number): void {
    if (this.#rate === undefined) return;
    if (now - this.#throttledAt > forgetAfterMs && now > this.#coolUntil) {
      this.#rate = undefined;
      return;
    }
    const seconds = Math.floor((now - Math.max(this.#rateChangedAt, this.#coolUntil)) / 1000);
    if (seconds < 1) return;
    this.#rate += seconds * increase;
    this.#rateChangedAt = Math.max(this.#rateChangedAt, this.#coolUntil) + seconds * 1000;
  }
}
