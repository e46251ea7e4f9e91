import type { Rate } from "../../config/rate.ts";
import { charge, type Draw, draw, waitMs } from "./bucket.ts";

/** Buckets that are looked at for each that is used, to forget the full ones: fullness is what an unknown key has. */
const inspected = 2;

/**
 * Buckets of this process by key, the least recently used first. Every use forgets up to two full ones, so there are
 * hardly more of them than are in use, and no use has to walk through all.
 */
export class Buckets {
  readonly #fullAt = new Map<string, number>();
  readonly #most: number;
  #sweep = this.#fullAt.entries();
  /** Whatever it gives is forgotten at once, so it stands at the oldest; a new one each time would pass all the gaps again. */
  #oldest = this.#fullAt.keys();

  /** @param most buckets that are kept; beyond that the least recently used is forgotten even if it is not full. */
  constructor(most = Number.POSITIVE_INFINITY) {
    this.#most = most;
  }

  get size(): number {
    return this.#fullAt.size;
  }

  /** ms until a token can be taken; it takes none. */
  waitMs(key: string, rate: Rate, now: number): number {
    return waitMs(this.#fullAt.get(key), rate, now);
  }

  /** Takes a token. */
  draw(key: string, rate: Rate, now: number): Draw {
    const drawn = draw(this.#fullAt.get(key), rate, now);
    this.#keep(key, drawn.fullAt, now);
    return drawn;
  }

  /** Takes a token that is gone already, even where there is none. @param mostMs see `charge` of a bucket. */
  charge(key: string, rate: Rate, now: number, mostMs?: number): void {
    this.#keep(key, charge(this.#fullAt.get(key), rate, now, mostMs), now);
  }

  #keep(key: string, fullAt: number, now: number): void {
    this.#forgetFull(now);
    this.#fullAt.delete(key);
    if (this.#fullAt.size >= this.#most) this.#fullAt.delete(String(this.#oldest.next().value));
    this.#fullAt.set(key, fullAt);
  }

  #forgetFull(now: number): void {
    for (let at = 0; at < inspected; at += 1) {
      const { value, done } = this.#sweep.next();
      if (done) {
        // Both anew, because one that stood still would hold on to every table that the map has outgrown.
        this.#sweep = this.#fullAt.entries();
        this.#oldest = this.#fullAt.keys();
        return;
      }
      const [key, fullAt] = value;
      if (fullAt <= now) this.#fullAt.delete(key);
    }
  }
}
