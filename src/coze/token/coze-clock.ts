/** Both kinds of time; tests turn them. */
export interface Clocks {
  /** Monotonic ms: for how long something lasts. */
  readonly monotonic: () => number;
  /** ms since the epoch, which may jump. */
  readonly wall: () => number;
}

/** The clocks of the machine. */
export const realClocks: Clocks = { monotonic: () => performance.now(), wall: () => Date.now() };

/** A `Date` further than this from our own clock, in ms, is nonsense, not a clock that is a little wrong. */
const mostSkewMs = 24 * 3_600_000;

/**
 * What time it is at Coze, in ms since the epoch: taken from the `Date` of its last reply and carried on by the
 * monotonic clock, so neither a wrong wall clock nor a jump of it makes an assertion come from the future or a life end.
 * Before the first reply it is our own wall clock.
 */
export class CozeClock {
  readonly #clocks: Clocks;
  #seen: { readonly date: number; readonly at: number } | undefined;

  constructor(clocks: Clocks) {
    this.#clocks = clocks;
  }

  now(): number {
    if (!this.#seen) return this.#clocks.wall();
    return this.#seen.date + this.#clocks.monotonic() - this.#seen.at;
  }

  /** Takes the `Date` header of a reply that has just come; anything else is passed over. */
  note(header: unknown): void {
    const date = typeof header === "string" ? Date.parse(header) : Number.NaN;
    if (!(Math.abs(date - this.#clocks.wall()) <= mostSkewMs)) return;
    this.#seen = { date, at: this.#clocks.monotonic() };
  }
}
