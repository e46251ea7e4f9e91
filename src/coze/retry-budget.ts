/**
 * A token bucket that ties retries to requests: each request pays in a tenth, each retry takes out one, so in
 * the long run Coze gets at most 10 % more calls than there are requests, however sick it is.
 */
export class RetryBudget {
  readonly #capacity: number;
  readonly #deposit: number;
  #tokens: number;

  /** @param capacity retries that may come in a burst; the bucket starts full. */
  constructor(capacity = 20, deposit = 0.1) {
    this.#capacity = capacity;
    this.#deposit = deposit;
    this.#tokens = capacity;
  }

  get tokens(): number {
    return this.#tokens;
  }

  /** True when one retry can be paid. */
  get canWithdraw(): boolean {
    return this.#tokens >= 1;
  }

  deposit(): void {
    this.#tokens = Math.min(this.#capacity, this.#tokens + this.#deposit);
  }

  /** Pays back a retry that was not made. */
  refund(): void {
    this.#tokens = Math.min(this.#capacity, this.#tokens + 1);
  }

  withdraw(): void {
    this.#tokens = Math.max(0, this.#tokens - 1);
  }
}
