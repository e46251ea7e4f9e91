import { hostname } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "pino";
import { newStream } from "./audit/chain.ts";
import { StoreConnection } from "./audit/connection.ts";
import { openStore } from "./audit/open-store.ts";
import { StoreError } from "./audit/store.ts";
import { type Config, ConfigError, storeConfigOf } from "./config/config.ts";
import { tokenSourceOf } from "./coze/token/source.ts";
import { CozeToken } from "./coze/token/token.ts";

/** How long a start waits for the audit store to open, in ms. */
const auditOpenMs = 5_000;

/** The stream that this process writes, and the store for it. */
export interface AuditStoreParts {
  readonly stream: string;
  readonly connection: StoreConnection;
}

/** Opens the audit store once, to refuse a start that can come to nothing; what may pass is tried again later. */
export async function openAuditStore(config: Config, log: Logger): Promise<AuditStoreParts> {
  const stream = newStream(hostname());
  const location = storeConfigOf(config);
  const connection = new StoreConnection(() => openStore(location, { stream }));
  const opening = connection.get().catch((error: unknown) => {
    const problem = (error as Error).message;
    if (error instanceof StoreError && error.permanent)
      throw new ConfigError([`AUDIT_STORE ${location.url}: ${problem}`]);
    log.error({ event: "audit_failure", problem }, "the audit store cannot be opened yet");
  });
  // A store that hangs must not hold up the start: the instance is not ready until it opens.
  await Promise.race([opening, sleep(auditOpenMs, undefined, { ref: false })]);
  return { stream, connection };
}

/**
 * Opens the source of the Coze token. One that gives nothing yet is waited for.
 * @throws {ConfigError} when COZE_TOKEN is no token.
 */
export async function openToken(config: Config, log: Logger): Promise<CozeToken> {
  const what = config.COZE_OAUTH_APP_ID === undefined ? "token_file" : "token_key_file";
  const words = what.replaceAll("_", " ");
  return CozeToken.open(tokenSourceOf(config), {
    onChange: (generation, expiresAt) => {
      const expiry = expiresAt === undefined ? {} : { expires_at: new Date(expiresAt).toISOString() };
      log.info({ event: "token_loaded", generation, ...expiry }, "Coze token loaded");
    },
    onRecovered: () => log.info({ event: `${what}_usable` }, `${words} usable again, unchanged`),
    onError: ({ message }) =>
      log.error(
        { event: `${what}_unusable`, problem: message },
        `${words} not usable, what was good is kept`,
      ),
    onMintFailed: ({ message }, retryInMs) => {
      const line = { event: "token_mint_failed", problem: message, retry_in_ms: Math.round(retryInMs) };
      log.error(line, "no new Coze token; the last one is kept while it is valid");
    },
    onReverted: (rejected, inUse) => {
      const line = { event: "token_reverted", rejected_generation: rejected, generation: inUse };
      log.error(line, "Coze rejects the new token; the last one that worked is in use again");
    },
  }).catch((error: Error) => {
    throw new ConfigError([`COZE_TOKEN: ${error.message}`]);
  });
}
