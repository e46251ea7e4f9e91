import type { Rate } from "../../config/rate.ts";
import { slackMs } from "./bucket.ts";

/** Whether a caller may go on, and what it is told of its limit. */
export interface RateVerdict {
  readonly allowed: boolean;
  /** The limit that was applied: while the shared store is away, this replica's part of it. */
  readonly limit: Rate;
  /** Requests that could follow at once. */
  readonly remaining: number;
  /** Whole seconds, at least 1, until one more than `remaining` could follow; 0 without a limit. */
  readonly resetSeconds: number;
  /** Whole seconds, at least 1, after which a repeat can succeed; 0 when allowed. */
  readonly retryAfterSeconds: number;
}

/**
 * Words the outcome of a draw.
 * @param untilFullMs how long the bucket will take to be full again, after the draw.
 */
export function verdictOf(limit: Rate, allowed: boolean, untilFullMs: number): RateVerdict {
  const stepMs = limit.windowMs / limit.quota;
  const tokens = (limit.windowMs - untilFullMs + slackMs(limit)) / stepMs;
  const remaining = Math.max(0, Math.floor(tokens));
  const resetSeconds = Math.ceil(((remaining + 1 - tokens) * stepMs) / 1000);
  return { allowed, limit, remaining, resetSeconds, retryAfterSeconds: allowed ? 0 : resetSeconds };
}

/** The verdict where there is no limit. */
export function unlimited(limit: Rate): RateVerdict {
  return { allowed: true, limit, remaining: limit.quota, resetSeconds: 0, retryAfterSeconds: 0 };
}
