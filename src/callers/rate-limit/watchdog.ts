/** Steps in which the time is counted. */
const steps = 5;

/**
 * Tells when an answer is overdue. The time is counted in steps of the event loop, so that a moment in which this
 * process itself stands still counts as one step, not as the other side's silence; and one timer serves all that wait.
 */
export class Watchdog {
  readonly #stepMs: number;
  readonly #onOverdue: () => void;
  readonly #waiting = new Set<{ readonly since: number }>();
  #step = 0;
  #timer: NodeJS.Timeout | undefined;

  /** @param mostMs how long an answer may take: it is overdue after that and at most a step more. */
  constructor(mostMs: number, onOverdue: () => void) {
    this.#stepMs = mostMs / steps;
    this.#onOverdue = onOverdue;
  }

  /** Watches over an answer until it is there, and passes it on. */
  async watch<T>(answer: Promise<T>): Promise<T> {
    const waiter = { since: this.#step };
    this.#waiting.add(waiter);
    this.#timer ??= setInterval(() => this.#count(), this.#stepMs).unref();
    try {
      return await answer;
    } finally {
      this.#waiting.delete(waiter);
    }
  }

  #count(): void {
    this.#step += 1;
    // Answers come in the order of the questions, so no other waits longer.
    const [oldest] = this.#waiting;
    if (!oldest) {
      clearInterval(this.#timer);
      this.#timer = undefined;
      return;
    }
    if (this.#step - oldest.since > steps) this.#onOverdue();
  }
}
