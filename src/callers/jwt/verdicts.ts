/** A bounded memory in which everything lives equally long; the oldest goes when it is full. */
export class Verdicts<T> {
  readonly #lifeMs: number;
  readonly #most: number;
  /** In the order in which they were put, and so in the order in which they end. */
  readonly #entries = new Map<string, { readonly value: T; readonly endsAt: number }>();

  constructor(lifeMs: number, most: number) {
    this.#lifeMs = lifeMs;
    this.#most = most;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** @param now monotonic ms. */
  get(key: string, now: number): T | undefined {
    this.#expire(now);
    return this.#entries.get(key)?.value;
  }

  /** @param now monotonic ms, from which the life counts; at least that of the last call. */
  put(key: string, value: T, now: number): void {
    this.#entries.delete(key);
    this.#entries.set(key, { value, endsAt: now + this.#lifeMs });
    const tooMany = Math.max(0, this.#entries.size - this.#most);
    for (const oldest of this.#entries.keys().take(tooMany)) this.#entries.delete(oldest);
  }

  #expire(now: number): void {
    for (const [key, { endsAt }] of this.#entries) {
      if (endsAt > now) return;
      this.#entries.delete(key);
    }
  }
}
