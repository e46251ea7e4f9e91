import type { WatchedFile } from "../../config/watched-file.ts";
import { CozeClient } from "../exchange.ts";
import { type Clocks, CozeClock } from "./coze-clock.ts";
import { openKeyFile, type SigningKey } from "./oauth-key.ts";
import { mint } from "./oauth-mint.ts";
import type { MintError } from "./oauth-reply.ts";
import { renewAfterMs, retryMintAfterMs } from "./oauth-schedule.ts";
import type { FeedListeners, OAuthSettings, TokenFeed } from "./source.ts";

/** Time for DNS, TCP and TLS at the most, in ms. */
const mostConnectMs = 3_000;

/** Tokens minted by Coze's OAuth JWT flow, from the start on. The first mint is not waited for, only the key file. */
export async function openOAuthFeed(
  settings: OAuthSettings,
  listeners: FeedListeners,
  clocks: Clocks,
): Promise<TokenFeed> {
  const feed = new OAuthFeed(settings, listeners, clocks);
  await feed.open();
  return feed;
}

/** Mints one token at a time, renews it in the background, and waits longer and longer after failures. */
class OAuthFeed implements TokenFeed {
  readonly #settings: OAuthSettings;
  readonly #listeners: FeedListeners;
  readonly #clock: CozeClock;
  readonly #client: CozeClient;
  #key: WatchedFile<SigningKey> | undefined;
  /** The mint under way: all who need a token wait for the same one. */
  #minting: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  /** Failed mints in a row. */
  #failures = 0;
  #trouble: Error | undefined;
  #closed = false;

  constructor(settings: OAuthSettings, listeners: FeedListeners, clocks: Clocks) {
    this.#settings = settings;
    this.#listeners = listeners;
    this.#clock = new CozeClock(clocks);
    this.#client = new CozeClient({
      origin: settings.origin,
      connections: 1,
      connectTimeoutMs: Math.min(settings.timeoutMs, mostConnectMs),
      maxReplyBytes: 64 * 1024,
    });
  }

  async open(): Promise<void> {
    this.#key = await openKeyFile(this.#settings.keyFile, {
      onChange: () => this.#keyChanged(),
      onRecovered: () => this.#listeners.onRecovered(),
      onError: (error) => this.#listeners.onError(error),
    });
    this.#start();
  }

  get trouble(): Error | undefined {
    return this.#key?.trouble ?? this.#trouble;
  }

  async refresh(): Promise<void> {
    await this.pending();
  }

  /**
   * Starts a mint when none is under way: a token can run out unrenewed while the process was stopped. But after a
   * failure the next mint comes by itself, and calls do not hasten it.
   */
  pending(): Promise<void> | undefined {
    return this.#minting ?? (this.#failures === 0 ? this.#start() : undefined);
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#key?.close();
    await this.#client.close();
  }

  /** Coze may have refused for want of this key, or there was none yet. Else it is used from the next mint on. */
  #keyChanged(): void {
    if (this.#failures > 0 || !this.#timer) this.#start();
  }

  #start(): Promise<void> | undefined {
    const key = this.#key?.value;
    if (!key || this.#closed) return undefined;
    clearTimeout(this.#timer);
    this.#minting ??= this.#mint(key).finally(() => {
      this.#minting = undefined;
    });
    return this.#minting;
  }

  async #mint(key: SigningKey): Promise<void> {
    try {
      const token = await mint(this.#client, this.#settings, key, this.#clock);
      this.#failures = 0;
      this.#trouble = undefined;
      this.#plan(renewAfterMs(token.lifeMs, Math.random()));
      this.#listeners.onToken(token);
    } catch (error) {
      if (this.#closed) return;
      this.#failures += 1;
      this.#trouble = error as MintError;
      const { passing } = error as MintError;
      const sameKey = this.#key?.value === key;
      const waitMs = sameKey ? retryMintAfterMs(this.#failures, passing, Math.random()) : 0;
      this.#plan(waitMs);
      this.#listeners.onMintFailed(error as MintError, waitMs);
    }
  }

  /** It keeps no process alive, and setTimeout counts monotonic time. */
  #plan(afterMs: number): void {
    this.#timer = setTimeout(() => void this.#start(), afterMs).unref();
  }
}
