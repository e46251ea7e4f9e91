import { hostname } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "pino";
import { newStream } from "./audit/chain.ts";
import { StoreConnection } from "./audit/connection.ts";
import { openStore } from "./audit/open-store.ts";
import { StoreError } from "./audit/store.ts";
import { emptyPolicy, type Policy, parsePolicy } from "./callers/policy.ts";
import { type Config, ConfigError, storeConfigOf } from "./config/config.ts";
import { WatchedFile } from "./config/watched-file.ts";
import { CozeToken } from "./coze/token.ts";

/** Largest callers file that is read, in bytes. */
export const maxCallersFileBytes = 4 * 1024 * 1024;

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

/** The callers file under watch, and the policy that it says now. */
export interface WatchedCallers {
  readonly policy: () => Policy;
  readonly close: () => void;
}

export async function openCallers(config: Config, log: Logger): Promise<WatchedCallers> {
  const path = config.CALLERS_FILE ?? "";
  let current = emptyPolicy;
  const file = await WatchedFile.open({
    path,
    parse: parsePolicy,
    maxBytes: maxCallersFileBytes,
    onChange: (policy) => {
      current = policy;
      log.info({ event: "callers_loaded", callers: policy.callers.length }, "callers file loaded");
    },
    onRecovered: () => log.info({ event: "callers_file_usable" }, "callers file usable again, unchanged"),
    onError: ({ message }) =>
      log.error({ event: "callers_file_unusable", problem: message }, "callers file not usable"),
  });
  if (!file.value) {
    file.close();
    throw new ConfigError([`CALLERS_FILE ${path}: ${file.trouble?.message}`]);
  }
  return { policy: () => current, close: () => file.close() };
}

export async function openToken(config: Config, log: Logger): Promise<CozeToken> {
  const source = config.COZE_TOKEN ? { value: config.COZE_TOKEN } : { file: config.COZE_TOKEN_FILE ?? "" };
  return CozeToken.open(source, {
    onChange: (generation) => log.info({ event: "token_loaded", generation }, "Coze token loaded"),
    onRecovered: () => log.info({ event: "token_file_usable" }, "token file usable again, unchanged"),
    onError: ({ message }) => {
      log.error(
        { event: "token_file_unusable", problem: message },
        "token file not usable, last good token kept",
      );
    },
  }).catch((error: Error) => {
    throw new ConfigError([`COZE_TOKEN: ${error.message}`]);
  });
}
