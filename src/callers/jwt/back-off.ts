/** Says for how long something that failed is left alone: twice as long each time, with jitter, up to a bound. */
export class BackOff {
  readonly #firstMs: number;
  readonly #mostMs: number;
  #failures = 0;
  #failedAt = Number.NEGATIVE_INFINITY;
  #until = 0;

  constructor(firstMs: number, mostMs: number) {
    this.#firstMs = firstMs;
    this.#mostMs = mostMs;
  }

  /** An attempt that began at the first time failed at the second; both in monotonic ms. */
  failed(beganAt: number, now: number): void {
    // Of attempts that were under way together one counts.
    if (beganAt < this.#failedAt) return;
    this.#failedAt = now;
    const ms = Math.min(this.#mostMs, this.#firstMs * 2 ** this.#failures);
    this.#failures += 1;
    // Replicas that failed together must not come back together.
    this.#until = now + ms * (0.5 + Math.random() / 2);
  }

  worked(): void {
    this.#failures = 0;
    this.#until = 0;
  }

  /** Time left, in ms; 0 when it may be tried. @param now monotonic ms. */
  waitMs(now: number): number {
    return Math.max(0, this.#until - now);
  }
}
