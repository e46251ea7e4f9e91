import type { TokenConfig } from "../../config/token-variables.ts";
import type { Secret } from "../../secret.ts";

/** Where minted tokens come from: Coze's OAuth JWT flow (FACTS d). */
export interface OAuthSettings {
  /** Coze's origin. */
  readonly origin: string;
  readonly appId: string;
  /** Fingerprint of the public key, unless the key file names one. */
  readonly keyId: string;
  readonly keyFile: string;
  /** Mints for this account or this enterprise; at most one of the two is given. */
  readonly accountId?: string | undefined;
  readonly enterpriseId?: string | undefined;
  /** Life that is asked for. */
  readonly durationSeconds: number;
  /** Time for one mint, in ms. */
  readonly timeoutMs: number;
}

/** Where the token comes from: a file that is watched, a fixed value, or minted as needed. */
export type TokenSource =
  | { readonly file: string }
  | { readonly value: Secret }
  | { readonly oauth: OAuthSettings };

/** A token as it comes from its source. */
export interface FreshToken {
  readonly value: string;
  /** How long it is valid from now on, in ms; undefined when the source cannot know. */
  readonly lifeMs?: number;
  /** The same by Coze's clock, in ms since the epoch. */
  readonly expiresAt?: number;
}

/** What a feed tells its holder. */
export interface FeedListeners {
  readonly onToken: (token: FreshToken) => void;
  /** What the source is read from can be used again, and has not changed. */
  readonly onRecovered: () => void;
  /** What the source is read from cannot be used; told once for each different trouble. */
  readonly onError: (error: Error) => void;
  /** A mint failed and is tried again after so many ms. */
  readonly onMintFailed: (error: Error, retryInMs: number) => void;
}

/** What brings tokens, one after the other. */
export interface TokenFeed {
  /** Why nothing new can come at the moment. */
  readonly trouble: Error | undefined;
  /** Looks for a newer token now, as after a rejection by Coze. Never rejects. */
  refresh(): Promise<void>;
  /** Resolves when it is known whether a token comes that is on its way; undefined when none is. */
  pending(): Promise<void> | undefined;
  close(): Promise<void>;
}

/** The one source that a configuration names; of the parts of OAuth's, that they are whole was checked before. */
export function tokenSourceOf(config: TokenConfig): TokenSource {
  const { COZE_TOKEN: value, COZE_OAUTH_APP_ID: appId } = config;
  if (value) return { value };
  if (appId === undefined) return { file: config.COZE_TOKEN_FILE ?? "" };
  return {
    oauth: {
      origin: config.COZE_BASE_URL,
      appId,
      keyId: config.COZE_OAUTH_KEY_ID ?? "",
      keyFile: config.COZE_OAUTH_PRIVATE_KEY_FILE ?? "",
      accountId: config.COZE_OAUTH_ACCOUNT_ID,
      enterpriseId: config.COZE_OAUTH_ENTERPRISE_ID,
      durationSeconds: config.COZE_OAUTH_DURATION_SECONDS,
      timeoutMs: config.ATTEMPT_TIMEOUT_MS,
    },
  };
}

/** The source in words, for people. */
export function describeSource(source: TokenSource): string {
  if ("file" in source) return `file ${source.file}`;
  return "oauth" in source ? `OAuth app ${source.oauth.appId}` : "variable COZE_TOKEN";
}
