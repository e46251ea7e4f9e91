import type { Rate } from "../../config/rate.ts";
import type { RateLimitStoreUrl } from "../../config/rate-limit-store-url.ts";
import type { RateClass } from "../../operation.ts";
import { LocalLimiter } from "./local-limiter.ts";
import { type OnStoreChange, RedisBuckets } from "./redis-buckets.ts";
import { SharedLimiter } from "./shared-limiter.ts";
import type { RateVerdict } from "./verdict.ts";

/** Limits how often each caller may do each class of things. */
export interface RateLimiter {
  /** False while a shared store is away and this replica keeps to its part of the limits; always true for `memory`. */
  readonly storeUsable: boolean;
  /** Counts a request, if it is allowed. Never rejects, and takes no longer than the store is given for an answer. */
  take(callerId: string, rateClass: RateClass, rate: Rate): Promise<RateVerdict>;
  /** Ends the connection to the store. */
  close(): Promise<void>;
}

/** What a limiter is made of. */
export interface RateLimiterParts {
  readonly store: RateLimitStoreUrl | "memory";
  /** File with the store's password, read at each connect. */
  readonly passwordFile?: string | undefined;
  /** Replicas that share the limits; each keeps to its part of them when there is no store, or it is away. */
  readonly replicas: number;
  /** Is told once each time the store becomes usable or stops being so; of `memory` nothing. */
  readonly onStoreChange: OnStoreChange;
}

/** Makes a limiter; one with a shared store connects in the background, and works before it has. */
export function createRateLimiter({
  store,
  passwordFile,
  replicas,
  onStoreChange,
}: RateLimiterParts): RateLimiter {
  if (store === "memory") {
    const local = new LocalLimiter();
    return {
      storeUsable: true,
      take: async (callerId, rateClass, rate) =>
        local.take(bucketOf(callerId, rateClass), rate.share(replicas)),
      close: async () => {},
    };
  }
  const buckets = new RedisBuckets({ url: store, passwordFile }, onStoreChange);
  const shared = new SharedLimiter(buckets, replicas);
  return {
    get storeUsable() {
      return buckets.usable;
    },
    take: (callerId, rateClass, rate) => shared.take(bucketOf(callerId, rateClass), rate),
    close: () => buckets.close(),
  };
}

/** A caller id has no colon, so no two buckets have one name. */
function bucketOf(callerId: string, rateClass: RateClass): string {
  return `${rateClass}:${callerId}`;
}
