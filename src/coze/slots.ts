/** Why no slot was given. */
export type SlotRefusal = "queue_full" | "too_late" | "canceled";

interface Waiter {
  readonly grant: () => void;
}

/**
 * Bounds the calls that are under way, and those that wait. undici's own queue has no bound, and a request in it
 * cannot be given up (PITFALLS), so nothing is handed to undici before it can be sent at once.
 */
export class Slots {
  #free: number;
  readonly #mostWaiting: number;
  readonly #waiting = new Set<Waiter>();

  constructor(slots: number, mostWaiting: number) {
    this.#free = slots;
    this.#mostWaiting = mostWaiting;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  /** Waits for a slot at most so many ms; a granted slot must be released. First come, first served. */
  acquire(mostWaitMs: number, signal?: AbortSignal): Promise<SlotRefusal | undefined> {
    if (this.#free > 0) {
      this.#free -= 1;
      return Promise.resolve(undefined);
    }
    if (this.#waiting.size >= this.#mostWaiting) return Promise.resolve("queue_full");
    return new Promise((resolve) => {
      const end = (refusal: SlotRefusal | undefined) => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", cancel);
        this.#waiting.delete(waiter);
        resolve(refusal);
      };
      const waiter: Waiter = { grant: () => end(undefined) };
      const cancel = () => end("canceled");
      const timer = setTimeout(() => end("too_late"), mostWaitMs);
      signal?.addEventListener("abort", cancel, { once: true });
      this.#waiting.add(waiter);
    });
  }

  release(): void {
    const [next] = this.#waiting;
    if (next) next.grant();
    else this.#free += 1;
  }
}
