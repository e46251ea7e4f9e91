import type { AuditStore } from "../audit/store.ts";
import type { OwnersOf } from "../callers/authorize.ts";
import { GatewayError } from "../errors.ts";

/** What looking owners up takes. */
export interface OwnerLookupOptions {
  readonly store: () => Promise<Pick<AuditStore, "ownersOf">>;
  /** The longest that a look-up may take, in ms. */
  readonly timeoutMs: number;
  /** Told why owners could not be read. */
  readonly onFailure: (error: Error) => void;
}

/**
 * Makes the look-up of owners. Nothing is remembered from one request to the next: after an operator moved an app, the
 * former owner must not get through, here or at another replica.
 */
export function ownerLookup({ store, timeoutMs, onFailure }: OwnerLookupOptions): OwnersOf {
  return async (apiAppIds) => {
    if (apiAppIds.length === 0) return new Map();
    const { promise: late, reject } = Promise.withResolvers<never>();
    const problem = `the owners of apps were not read within ${timeoutMs} ms`;
    const timer = setTimeout(() => reject(new Error(problem)), timeoutMs);
    const found = store().then((open) => open.ownersOf(apiAppIds));
    return Promise.race([found, late])
      .catch((error: Error) => {
        onFailure(error);
        throw new GatewayError("audit_unavailable", {
          message: "Who owns the callback app cannot be read now, so nothing was done; repeat later.",
          cause: error,
        });
      })
      .finally(() => clearTimeout(timer));
  };
}
