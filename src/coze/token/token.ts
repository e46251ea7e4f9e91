import { GatewayError } from "../../errors.ts";
import { Unprintable } from "../../secret.ts";
import { type ChosenUse, type HeldToken, TokenChoice } from "./choice.ts";
import { type Clocks, realClocks } from "./coze-clock.ts";
import { openFileFeed } from "./file-feed.ts";
import { KnownForms } from "./known-forms.ts";
import { openOAuthFeed } from "./oauth-feed.ts";
import { parseToken } from "./parse.ts";
import { RejectionLook } from "./rejection-look.ts";
import {
  describeSource,
  type FeedListeners,
  type FreshToken,
  type TokenFeed,
  type TokenSource,
} from "./source.ts";
import { statusOf, type TokenStatus } from "./status.ts";

export interface TokenListeners {
  /** A new token is in use. @param expiresAt ms since the epoch by Coze's clock, when known. */
  readonly onChange?: (generation: number, expiresAt: number | undefined) => void;
  readonly onRecovered?: () => void;
  readonly onError?: (error: Error) => void;
  readonly onMintFailed?: (error: Error, retryInMs: number) => void;
  /** Coze rejects the newest token and takes an older one, which is in use from now on; told once for each. */
  readonly onReverted?: (rejected: number, inUse: number) => void;
}

/** The token as one attempt uses it. */
export interface TokenUse extends ChosenUse {
  /** Value of the Authorization header toward Coze. */
  readonly authorization: string;
}

/** The one holder of the Coze token. Each attempt asks for the current value, so a retry already uses a new one. */
export class CozeToken extends Unprintable {
  readonly #source: TokenSource;
  readonly #listeners: TokenListeners;
  readonly #clocks: Clocks;
  readonly #choice: TokenChoice;
  readonly #forms = new KnownForms();
  readonly #look: RejectionLook;
  #feed: TokenFeed | undefined;
  #generation = 0;
  #failures = 0;
  #reverts = 0;
  /** The newest generation of which it was told that Coze rejects it. */
  #blamed = 0;

  private constructor(source: TokenSource, listeners: TokenListeners, clocks: Clocks) {
    super();
    this.#source = source;
    this.#listeners = listeners;
    this.#clocks = clocks;
    this.#choice = new TokenChoice(clocks.monotonic);
    this.#look = new RejectionLook(() => this.refresh(), clocks.monotonic);
  }

  /**
   * Starts holding the token. A file that cannot be used is reported to `onError` and read again later, and a first
   * mint is not waited for: the gateway starts not ready instead of restarting for ever.
   * @throws Error when a fixed value is no token.
   */
  static async open(
    source: TokenSource,
    listeners: TokenListeners = {},
    clocks: Clocks = realClocks,
  ): Promise<CozeToken> {
    const token = new CozeToken(source, listeners, clocks);
    if ("value" in source) token.#take({ value: parseToken(source.value.reveal()) });
    else if ("file" in source) token.#feed = await openFileFeed(source.file, token.#feedListeners());
    else token.#feed = await openOAuthFeed(source.oauth, token.#feedListeners(), clocks);
    return token;
  }

  /** Counts the tokens taken so far; 0 while there has been none. */
  get generation(): number {
    return this.#generation;
  }

  /** Whether there is a token that is still valid as far as is known. */
  get usable(): boolean {
    return this.#choice.current !== undefined;
  }

  /** Why the source cannot be used now, though the last good token may still be in force. */
  get trouble(): Error | undefined {
    return this.#feed?.trouble;
  }

  /** How often the source could not be used, or a mint failed. */
  get failures(): number {
    return this.#failures;
  }

  /** How often Coze rejected a new token while an older one still worked. */
  get reverts(): number {
    return this.#reverts;
  }

  /** ms since the token in use was taken; NaN while there is none. */
  get ageMs(): number {
    return this.#clocks.monotonic() - (this.#inUse?.takenAt ?? Number.NaN);
  }

  /** ms until the token in use is over; negative when it is, NaN when that is not known. */
  get expiresInMs(): number {
    return (this.#inUse?.endsAt ?? Number.NaN) - this.#clocks.monotonic();
  }

  /**
   * The token for the next attempt of a call.
   * @param rejected the use that Coze rejected in this call: another token is taken, when there is one.
   * @throws {GatewayError} token_unavailable while there was never any.
   */
  use(rejected?: TokenUse): TokenUse {
    const other = rejected && this.#choice.otherThan(rejected.generation);
    const token = other ?? this.#inUse;
    if (!token) throw new GatewayError("token_unavailable");
    const { value, generation } = token;
    return { authorization: `Bearer ${value}`, generation, insteadOf: other && rejected?.generation };
  }

  /** Whether a repeat would use another token. @param forPermission Coze missed no more than a permission. */
  hasOther(use: TokenUse, forPermission: boolean): boolean {
    return this.#choice.otherThan(use.generation, forPermission) !== undefined;
  }

  /** To be told of each success. */
  accepted(use: TokenUse): void {
    if (this.#choice.accepted(use) !== "reverted" || this.#blamed === this.#generation) return;
    this.#blamed = this.#generation;
    this.#reverts += 1;
    this.#listeners.onReverted?.(this.#generation, use.generation);
  }

  /** To be told of each rejection. Resolves when the source was looked at, at once where another token is at hand. */
  async rejected(use: TokenUse): Promise<void> {
    this.#choice.rejected(use);
    const inUse = this.#inUse;
    const outdated = inUse !== undefined && use.generation < inUse.generation;
    const look = outdated ? undefined : this.#look.once();
    if (!this.hasOther(use, false)) await look;
  }

  /** While no token is usable: resolves when a mint under way, if any, has ended. Never rejects. */
  async awaited(): Promise<void> {
    await this.#feed?.pending();
  }

  /** Looks at the source now. */
  async refresh(): Promise<void> {
    await this.#feed?.refresh();
  }

  /** True when the bytes hold a token that may be in use, as it is or in a common encoding. */
  isIn(bytes: Buffer): boolean {
    return this.#forms.isIn(bytes);
  }

  /** The text with the tokens, in any of their forms, replaced: the last net under everything that is printed. */
  redact(text: string): string {
    return this.#forms.redact(text);
  }

  /** What may be told of the token. */
  status(): TokenStatus {
    return statusOf({
      source: describeSource(this.#source),
      usable: this.usable,
      inUse: this.#inUse,
      ageMs: this.ageMs,
      reverted: this.#choice.reverted,
      trouble: this.trouble,
    });
  }

  async close(): Promise<void> {
    await this.#feed?.close();
  }

  /** One that has run out is better than none: Coze has the last word. */
  get #inUse(): HeldToken | undefined {
    return this.#choice.current ?? this.#choice.newest;
  }

  #feedListeners(): FeedListeners {
    const listeners = this.#listeners;
    return {
      onToken: (token) => {
        if (this.#take(token)) listeners.onChange?.(this.#generation, token.expiresAt);
      },
      onRecovered: () => listeners.onRecovered?.(),
      onError: (error) => {
        this.#failures += 1;
        listeners.onError?.(error);
      },
      onMintFailed: (error, retryInMs) => {
        this.#failures += 1;
        listeners.onMintFailed?.(error, retryInMs);
      },
    };
  }

  #take({ value, lifeMs, expiresAt }: FreshToken): boolean {
    if (value === this.#choice.newest?.value && lifeMs === undefined) return false;
    const takenAt = this.#clocks.monotonic();
    const endsAt = lifeMs === undefined ? undefined : takenAt + lifeMs;
    const before = this.#generation;
    this.#generation += 1;
    this.#choice.take({ value, generation: this.#generation, takenAt, endsAt, expiresAt });
    // Of the one before answers may still be on their way.
    this.#forms.add(value, this.#generation, [before, ...this.#choice.generations]);
    return true;
  }
}
