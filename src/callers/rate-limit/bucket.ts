import type { Rate } from "../../config/rate.ts";

/**
 * How much too early a token may be taken, in ms: sums of fractions are not exact, and must not cost the last token of
 * a bucket. The script for Redis has the same.
 */
export function slackMs({ quota, windowMs }: Rate): number {
  return Math.min(windowMs / quota / 1024, 0.1);
}

/** What became of an attempt to take one token out of a bucket. */
export interface Draw {
  readonly allowed: boolean;
  /** When the bucket will be full again, ms on the clock of who asked: all there is to know of it. */
  readonly fullAt: number;
}

/**
 * Takes a token out of a bucket that holds `quota` of them and gets `quota` in each window, evenly (GCRA). A refusal
 * takes nothing.
 * @param fullAt what the last draw said; undefined, or in the past, for a full bucket.
 * @param now monotonic ms.
 */
export function draw(fullAt: number | undefined, rate: Rate, now: number): Draw {
  const before = bounded(fullAt, rate, now);
  const after = before + rate.windowMs / rate.quota;
  const allowed = after - now <= rate.windowMs + slackMs(rate);
  return { allowed, fullAt: allowed ? after : before };
}

/**
 * Takes a token that is gone already, even where there is none: when the bucket will be full again.
 * @param mostMs how far off that may get, in ms; beyond the window the bucket is in debt.
 */
export function charge(
  fullAt: number | undefined,
  rate: Rate,
  now: number,
  mostMs: number = rate.windowMs,
): number {
  return Math.min(Math.max(fullAt ?? now, now) + rate.windowMs / rate.quota, now + mostMs);
}

/** ms until a token can be taken, debts paid off; 0 when one can be now. */
export function waitMs(fullAt: number | undefined, rate: Rate, now: number): number {
  const ms = Math.max(fullAt ?? now, now) + rate.windowMs / rate.quota - now - rate.windowMs;
  return ms <= slackMs(rate) ? 0 : ms;
}

/** A bucket is never emptier than empty, even when it was used at another rate before, or a clock was put back. */
function bounded(fullAt: number | undefined, rate: Rate, now: number): number {
  return Math.min(Math.max(fullAt ?? now, now), now + rate.windowMs);
}
