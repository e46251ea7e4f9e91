import type { Rate } from "../../config/rate.ts";
import { networkOf } from "./address.ts";
import { Buckets } from "./buckets.ts";

/** Networks that are remembered: some MB at most. */
const mostNetworks = 50_000;

/**
 * Credentials that take a while to be checked come in numbers before the first has failed. That is paid off later, but
 * for no longer than this, in ms, or the limit's own window.
 */
const mostDebtMs = 60_000;

/**
 * Limits failed authentications by network of the caller's address, so that a flood of them costs no hashing. Only
 * failures count; while a network has used up its share of them, all that comes from there is refused unread. Out of
 * more networks than it can remember it forgets the one that failed least recently.
 */
export class AddressLimiter {
  readonly #rate: Rate;
  readonly #now: () => number;
  readonly #buckets = new Buckets(mostNetworks);

  /** @param now monotonic ms. */
  constructor(rate: Rate, now: () => number = () => performance.now()) {
    this.#rate = rate;
    this.#now = now;
  }

  /** Networks in memory. */
  get size(): number {
    return this.#buckets.size;
  }

  /** Whole seconds, at least 1, for which all that comes from this address is refused; undefined when it is not. */
  refusedForSeconds(address: string): number | undefined {
    if (this.#rate.isUnlimited) return undefined;
    const waitMs = this.#buckets.waitMs(networkOf(address), this.#rate, this.#now());
    return waitMs === 0 ? undefined : Math.max(1, Math.ceil(waitMs / 1000));
  }

  /** Counts a failed authentication. */
  failed(address: string): void {
    if (this.#rate.isUnlimited) return;
    const mostMs = Math.max(mostDebtMs, this.#rate.windowMs);
    this.#buckets.charge(networkOf(address), this.#rate, this.#now(), mostMs);
  }
}
