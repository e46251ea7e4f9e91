import type { CryptoKey } from "jose";
import { BackOff } from "./back-off.ts";
import type { Health } from "./health.ts";
import type { KeySet, KeySource, WantedKey } from "./key-set.ts";
import type { Tunables } from "./prover.ts";
import { JwtRefused, JwtUnavailable } from "./refused.ts";

/** What remote keys are made of. */
export interface RemoteKeysOptions {
  /** Name of the issuer in the callers file. */
  readonly issuer: string;
  /** Gets the key set; rejects with an Error that is safe to log. */
  readonly load: () => Promise<KeySet>;
  /** Ends what `load` works with. */
  readonly close: () => Promise<void>;
  readonly health: Health;
  readonly tunables: Tunables;
}

/**
 * Keys that are fetched: one fetch at a time, in the background as long as all is well. While fetching fails the last
 * good keys serve for a bounded time. An unknown key leads to one fetch in each cool-down, also when that fails, so
 * tokens with made-up key ids cause no flood (PITFALLS on jose, whose own does otherwise).
 */
export class RemoteKeys implements KeySource {
  readonly #options: RemoteKeysOptions;
  readonly #backOff: BackOff;
  #keys: KeySet | undefined;
  /** When the fetch of the keys began; this and the other times are monotonic, in ms. */
  #loadedAt = 0;
  #askedAt = 0;
  #flight: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  /** Begins to fetch. */
  constructor(options: RemoteKeysOptions) {
    this.#options = options;
    this.#backOff = new BackOff(options.tunables.backOffMs, options.tunables.maxBackOffMs);
    this.#refresh();
  }

  async find(wanted: WantedKey): Promise<CryptoKey> {
    const key = await (await this.#current()).find(wanted);
    if (key) return key;
    await this.#lookAgain();
    const later = await (await this.#current()).find(wanted);
    if (later) return later;
    throw new JwtRefused("unknown_key");
  }

  close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    return this.#options.close();
  }

  /** The keys, waiting for a fetch under way when there are none. */
  async #current(): Promise<KeySet> {
    if (!this.#usable()) await this.#flight;
    return this.#usable() ?? this.#unavailable();
  }

  #usable(): KeySet | undefined {
    return performance.now() - this.#loadedAt <= this.#options.tunables.keepKeysMs ? this.#keys : undefined;
  }

  /** @throws {JwtUnavailable} when the last fetch failed: the key may be good, and nobody can tell. */
  async #lookAgain(): Promise<void> {
    const now = performance.now();
    const mayAsk =
      now - this.#askedAt >= this.#options.tunables.coolDownMs && this.#backOff.waitMs(now) === 0;
    if (mayAsk) this.#refresh();
    await this.#flight;
    if (this.#options.health.problemOf("endpoint") !== undefined) this.#unavailable();
  }

  #unavailable(): never {
    const { issuer, health } = this.#options;
    throw new JwtUnavailable(issuer, health.problemOf("endpoint"));
  }

  /** Fetches, or joins the fetch under way. */
  #refresh(): void {
    this.#flight ??= this.#fetch().finally(() => {
      this.#flight = undefined;
    });
  }

  async #fetch(): Promise<void> {
    const { load, health, tunables } = this.#options;
    clearTimeout(this.#timer);
    const askedAt = performance.now();
    this.#askedAt = askedAt;
    let waitMs = tunables.refreshMs * (0.9 + Math.random() / 10);
    try {
      this.#keys = await load();
      this.#loadedAt = askedAt;
      this.#backOff.worked();
      health.worked("endpoint");
    } catch (error) {
      if (this.#closed) return;
      const now = performance.now();
      this.#backOff.failed(askedAt, now);
      waitMs = this.#backOff.waitMs(now);
      health.failed("endpoint", (error as Error).message);
    }
    if (this.#closed) return;
    this.#timer = setTimeout(() => this.#refresh(), waitMs).unref();
  }
}
