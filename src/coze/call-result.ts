import type { GatewayErrorName, Outcome } from "../errors.ts";
import { isMutating, type Operation } from "../operation.ts";
import type { AttemptResult } from "./classify.ts";
import type { AttemptClass } from "./codes.ts";
import type { StopReason } from "./retry-policy.ts";

/** One attempt as log and audit keep it. Times in ms; `wait_ms` is the back-off before it. */
export interface AttemptRecord {
  readonly attempt: number;
  readonly class: AttemptClass;
  readonly evidence: string;
  readonly status: number | undefined;
  readonly code: number | undefined;
  readonly logid: string | undefined;
  readonly wait_ms: number;
  readonly ms: number;
}

/** A retry that is being made, for the log: the attempt before it, and why. */
export interface RetryNotice extends AttemptRecord {
  readonly reason: string;
  readonly next_wait_ms: number;
  /** Whether it is paid from the retry budget. */
  readonly charged: boolean;
}

/** What one call, with all its attempts, came to. */
export interface CallResult {
  /** The gateway's word for the failure; undefined on success. */
  readonly error: GatewayErrorName | undefined;
  /** The last attempt; undefined when none was made. */
  readonly last: AttemptResult | undefined;
  readonly attempts: readonly AttemptRecord[];
  readonly stopped: StopReason;
  /** Undefined on success and for operations that change nothing. */
  readonly outcome: Outcome | undefined;
  readonly retryAfterMs: number | undefined;
}

/** Why a call was not let through to its next attempt. */
export interface Halt {
  readonly stopped: StopReason;
  readonly error: GatewayErrorName;
  readonly retryAfterMs?: number;
}

/** What log and audit keep of an attempt; times in ms. */
export function recordOf(result: AttemptResult, attempt: number, waitMs: number, ms: number): AttemptRecord {
  return {
    attempt,
    class: result.class,
    evidence: result.evidence,
    status: result.status,
    code: result.code,
    logid: result.logid,
    wait_ms: Math.round(waitMs),
    ms: Math.round(ms),
  };
}

/** What conclude needs to know of a call that is over. */
export interface Conclusion {
  readonly attempts: readonly AttemptRecord[];
  /** The last attempt; undefined when none was made. */
  readonly last: AttemptResult | undefined;
  /** Whether any attempt may have taken effect. */
  readonly mayHaveActed: boolean;
  readonly stopped: StopReason;
  /** Why the next attempt was not let through, when that ended the call. */
  readonly halt?: Halt;
}

/** Sums a call up. What the last attempt said counts; `halt` only where none was made. */
export function conclude(operation: Operation, conclusion: Conclusion): CallResult {
  const { attempts, last, stopped, halt } = conclusion;
  return {
    error: last ? last.error : halt?.error,
    last,
    attempts,
    stopped,
    outcome: isMutating(operation) ? outcomeOf(conclusion) : undefined,
    retryAfterMs: halt?.retryAfterMs ?? last?.retryAfterMs,
  };
}

/** Once an attempt may have taken effect, no later refusal proves that it did not (FAULTS 17). */
function outcomeOf({ attempts, last, mayHaveActed }: Conclusion): Outcome | undefined {
  if (last?.class === "ok") return undefined;
  if (mayHaveActed) return "unknown";
  return attempts.every((attempt) => attempt.class === "not_sent") ? "not_sent" : "refused";
}
