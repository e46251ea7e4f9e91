import type { Logger } from "pino";
import type { StoreConnection } from "./audit/connection.ts";
import { AddressLimiter } from "./callers/rate-limit/address-limiter.ts";
import { createRateLimiter, type RateLimiter } from "./callers/rate-limit/rate-limiter.ts";
import type { Config } from "./config/config.ts";
import type { Gate } from "./http/guard.ts";
import { ownerLookup } from "./http/owners.ts";

/** What the gate is made of, besides its configuration. */
export interface GateParts extends Pick<Gate, "policy" | "issuers" | "onLimited"> {
  /** Where the owners of apps are kept. */
  readonly connection: StoreConnection;
  readonly log: Logger;
}

/** Makes what every request is held against: callers, their limits, and the owners of apps. */
export function makeGate(
  config: Config,
  { connection, log, ...parts }: GateParts,
): { readonly gate: Gate; readonly limiter: RateLimiter } {
  const limiter = createRateLimiter({
    store: config.RATE_LIMIT_STORE,
    passwordFile: config.RATE_LIMIT_STORE_PASSWORD_FILE,
    replicas: config.RATE_LIMIT_REPLICAS ?? 1,
    onStoreChange: (usable, reason) => {
      if (usable) log.info({ event: "rate_limit_store_usable" }, "limits are shared by all replicas");
      else
        log.error(
          { event: "rate_limit_store_unusable", problem: reason },
          "each replica keeps to its part of the limits",
        );
    },
  });
  const gate: Gate = {
    ...parts,
    limiter,
    addresses: new AddressLimiter(config.RATE_LIMIT_UNAUTHENTICATED),
    rates: {
      read: config.RATE_LIMIT_READ,
      write: config.RATE_LIMIT_WRITE,
      destructive: config.RATE_LIMIT_DESTRUCTIVE,
    },
    ownersOf: ownerLookup({
      store: () => connection.get(),
      timeoutMs: config.AUDIT_TIMEOUT_MS,
      onFailure: (err) => log.error({ event: "owners_unreadable", err }, "the owners of apps cannot be read"),
    }),
  };
  return { gate, limiter };
}
