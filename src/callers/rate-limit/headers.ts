import type { RateClass } from "../../operation.ts";
import type { RateVerdict } from "./verdict.ts";

/**
 * The header fields that tell a caller of its limit (draft-ietf-httpapi-ratelimit-headers-11, RFC 9651): the policy,
 * what is left of it and for how long, and on a refusal when to come back. None without a limit.
 */
export function rateLimitHeaders(rateClass: RateClass, verdict: RateVerdict): Record<string, string> {
  const { allowed, limit, remaining, resetSeconds, retryAfterSeconds } = verdict;
  if (limit.isUnlimited) return {};
  // The draft knows whole seconds only; a part of a limit can have a window between.
  const windowSeconds = Math.ceil(limit.windowMs / 1000);
  const headers = {
    "ratelimit-policy": `"${rateClass}";q=${limit.quota};w=${windowSeconds}`,
    ratelimit: `"${rateClass}";r=${remaining};t=${resetSeconds}`,
  };
  return allowed ? headers : { ...headers, "retry-after": String(retryAfterSeconds) };
}
