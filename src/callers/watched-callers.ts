import type { Logger } from "pino";
import { ConfigError } from "../config/config.ts";
import { WatchedFile } from "../config/watched-file.ts";
import { Issuers } from "./jwt/issuers.ts";
import { type KeyLife, KeyLifeLog, keyLifeOf } from "./key-life.ts";
import { emptyPolicy, type Policy, parsePolicy } from "./policy.ts";

/** Largest callers file that is read, in bytes. */
export const maxCallersFileBytes = 4 * 1024 * 1024;

/** Time between two looks at the keys that end, in ms. */
const usualKeyLifeMs = 3_600_000;

/** The callers file under watch, and what it says now. */
export interface WatchedCallers {
  readonly policy: () => Policy;
  /** The issuers whose JWTs it takes. */
  readonly issuers: Issuers;
  /** How many of them cannot be asked for keys or verdicts now. */
  readonly issuersInTrouble: () => number;
  /** Which keys end soon, or have ended. */
  readonly keyLife: () => KeyLife;
  readonly close: () => Promise<void>;
}

/**
 * Reads the callers file and watches it from then on; of a file that cannot be used the last good one stays in force.
 * @param keyLifeMs time between two looks at the keys that end.
 * @throws {ConfigError} when there is no good one yet.
 */
export async function openCallers(
  { CALLERS_FILE: path = "" }: { readonly CALLERS_FILE?: string | undefined },
  log: Logger,
  keyLifeMs = usualKeyLifeMs,
): Promise<WatchedCallers> {
  let current = emptyPolicy;
  const issuers = new Issuers({
    onFailure: (issuer, problem) =>
      log.error({ event: "issuer_unusable", issuer, problem }, "an issuer of JWTs cannot be asked"),
    onRecovered: (issuer) =>
      log.info({ event: "issuer_usable", issuer }, "an issuer of JWTs can be asked again"),
  });
  const keyLog = new KeyLifeLog(log);
  const keyLife = () => keyLifeOf(current.callers, Date.now());
  const tellOfKeys = () => keyLog.tell(keyLife(), Date.now());
  const file = await WatchedFile.open({
    path,
    parse: (content) => parsePolicy(content),
    maxBytes: maxCallersFileBytes,
    onChange: (policy) => {
      current = policy;
      issuers.configure(policy.issuers);
      const { version, callers } = policy;
      log.info(
        { event: "callers_loaded", callers: callers.length, policy_version: version },
        "callers file loaded",
      );
      tellOfKeys();
    },
    onRecovered: () => log.info({ event: "callers_file_usable" }, "callers file usable again, unchanged"),
    onError: ({ message }) =>
      log.error({ event: "callers_file_unusable", problem: message }, "callers file not usable"),
  });
  if (!file.value) {
    file.close();
    await issuers.close();
    throw new ConfigError([`CALLERS_FILE ${path}: ${file.trouble?.message}`]);
  }
  const timer = setInterval(tellOfKeys, keyLifeMs).unref();
  return {
    policy: () => current,
    issuers,
    issuersInTrouble: () => issuers.inTrouble().length,
    keyLife,
    close: () => {
      clearInterval(timer);
      file.close();
      return issuers.close();
    },
  };
}
