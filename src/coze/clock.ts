/** Time as something sees it that waits; tests bring their own. */
export interface Clock {
  /** Monotonic ms. */
  readonly now: () => number;
  /**
   * Runs an action once, so many ms from now; with 0, after all that follows from what is happening now.
   * @returns what prevents it.
   */
  readonly after: (ms: number, action: () => void) => () => void;
}

/** The clock of `performance.now()`, which nobody can set. */
export const monotonicClock: Clock = {
  now: () => performance.now(),
  after(ms, action) {
    if (ms <= 0) {
      const immediate = setImmediate(action);
      return () => clearImmediate(immediate);
    }
    const timer = setTimeout(action, Math.ceil(ms));
    return () => clearTimeout(timer);
  },
};
