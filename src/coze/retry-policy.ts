import type { IdempotencyClass } from "../operation.ts";
import type { AttemptResult } from "./classify.ts";
import { permissionMissingCode } from "./codes.ts";

/** Why no further attempt was made; the reply and the log show it. */
export const stopReasons = [
  "done",
  "refused",
  "maybe_done",
  "certificate",
  "token_retried",
  "attempts_used_up",
  "budget_empty",
  "no_time_left",
  "no_connection",
  "no_token",
  "caller_gone",
] as const;

export type StopReason = (typeof stopReasons)[number];

/** All that the decision rests on. Times in ms. */
export interface RetryFacts {
  readonly idempotency: IdempotencyClass;
  readonly result: Pick<AttemptResult, "class" | "code" | "retryAfterMs" | "failure">;
  /** Attempts made so far, this one included. */
  readonly attempts: number;
  readonly maxAttempts: number;
  readonly remainingMs: number;
  /** Less time than this is not worth an attempt. */
  readonly leastMs: number;
  /** Whether a repeat would use another token than the attempt did. */
  readonly otherToken: boolean;
  /** Whether the call was already repeated because of its token. */
  readonly tokenRetried: boolean;
  /** Whether the retry budget can pay for one more. */
  readonly budgetLeft: boolean;
  /** 0 up to 1, for the jitter. */
  readonly random: number;
}

/** `charged`: the retry is paid from the budget, since it adds to the load of a Coze that is in trouble. */
export type RetryDecision =
  | { readonly retry: true; readonly waitMs: number; readonly charged: boolean; readonly reason: string }
  | { readonly retry: false; readonly reason: StopReason };

const baseMs = 100;
const throttledBaseMs = 500;
const capMs = 2_000;

const stop = (reason: StopReason): RetryDecision => ({ retry: false, reason });

/** Decides whether to try again and after what wait (DESIGN section 5). Pure: it neither waits nor counts. */
export function decideRetry(facts: RetryFacts): RetryDecision {
  const { result, attempts } = facts;
  const rejected = result.class === "token_rejected" || lackedPermission(facts);
  if (result.class === "ok") return stop("done");
  if (result.class === "refused" && !rejected) return stop("refused");
  if ((result.class === "fault" || result.class === "lost") && facts.idempotency === "once")
    return stop("maybe_done");
  if (result.failure === "certificate") return stop("certificate");
  if (rejected && facts.tokenRetried) return stop("token_retried");
  // The one try with another token does not count: a token that Coze rejects must cost nobody a call.
  const another = rejected && facts.otherToken;
  if (attempts >= facts.maxAttempts && !another) return stop("attempts_used_up");
  // Not Coze's trouble, and no burden to it: what never reached it, what met a connection that was being closed, and
  // the one try with another token.
  const stale = result.failure === "stale";
  const charged = !(result.class === "not_sent" || stale || another);
  if (charged && !facts.budgetLeft) return stop("budget_empty");
  const mostWaitMs = facts.remainingMs - facts.leastMs;
  if (mostWaitMs <= 0 || (result.retryAfterMs ?? 0) > mostWaitMs) return stop("no_time_left");
  const waitMs = rejected || stale ? 0 : Math.min(mostWaitMs, backoff(result, attempts, facts.random));
  return { retry: true, waitMs, charged, reason: result.class === "refused" ? "other_token" : result.class };
}

/** A permission that was missing may be there with another token. */
function lackedPermission({ result, otherToken }: RetryFacts): boolean {
  return result.class === "refused" && result.code === permissionMissingCode && otherToken;
}

/** Full jitter: anything up to a bound that doubles; on top of Coze's own hint when there is one. */
function backoff(result: RetryFacts["result"], attempts: number, random: number): number {
  const hinted = result.retryAfterMs !== undefined && result.retryAfterMs > 0;
  const base = result.class === "throttled" && !hinted ? throttledBaseMs : baseMs;
  return (result.retryAfterMs ?? 0) + random * Math.min(capMs, base * 2 ** (attempts - 1));
}
