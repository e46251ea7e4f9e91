import { setTimeout as sleep } from "node:timers/promises";
import type { Operation, OperationInput } from "../operation.ts";
import { attempt } from "./attempt.ts";
import {
  type AttemptRecord,
  type CallResult,
  conclude,
  type Halt,
  type RetryNotice,
  recordOf,
} from "./call-result.ts";
import type { AttemptResult } from "./classify.ts";
import type { CozeClient } from "./exchange.ts";
import type { Pacer } from "./pacer.ts";
import type { RetryBudget } from "./retry-budget.ts";
import { decideRetry } from "./retry-policy.ts";
import type { Slots } from "./slots.ts";
import type { CozeToken } from "./token.ts";

export interface CallContext {
  /** When the time for the whole call is over, on the clock of `performance.now()`. */
  readonly deadlineAt: number;
  readonly acceptLanguage: string | undefined;
  /** Gives up the call; given for safe operations only, a change is never stopped half way. */
  readonly signal: AbortSignal | undefined;
  readonly onRetry: (notice: RetryNotice) => void;
}

export interface CallerParts {
  readonly client: CozeClient;
  readonly token: CozeToken;
  readonly slots: Slots;
  readonly pacer: Pacer;
  readonly budget: RetryBudget;
  readonly maxAttempts: number;
  readonly attemptTimeoutMs: number;
  readonly userAgent: string;
  /** Told of each attempt and how many ms it took, for the metrics. */
  readonly onAttempt: (operation: Operation, result: AttemptResult, ms: number) => void;
}

/** Carries out operations at Coze: attempts, waits and the decision when to stop. */
export class CozeCaller {
  readonly #parts: CallerParts;
  readonly #underWay = new Set<Promise<CallResult>>();

  constructor(parts: CallerParts) {
    this.#parts = parts;
  }

  /**
   * Makes one call with as many attempts as the policy allows. Never later than the deadline, never rejects for
   * what Coze does.
   * @throws {GatewayError} token_unavailable when there is no token to send.
   */
  call(operation: Operation, input: OperationInput, context: CallContext): Promise<CallResult> {
    const result = this.#call(operation, input, context).finally(() => this.#underWay.delete(result));
    this.#underWay.add(result);
    return result;
  }

  /** Resolves when no call is under way: a change is finished even when its caller and its connection are gone. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#underWay);
  }

  async #call(operation: Operation, input: OperationInput, context: CallContext): Promise<CallResult> {
    const { token, budget, slots, pacer, maxAttempts, onAttempt } = this.#parts;
    const attempts: AttemptRecord[] = [];
    let last: AttemptResult | undefined;
    let waitMs = 0;
    let tokenRetried = false;
    token.use();
    budget.deposit();
    for (;;) {
      const halt = await this.#admission(context);
      if (halt) return conclude(operation, attempts, last, halt.stopped, halt);
      const startedAt = performance.now();
      const use = token.use();
      last = await attempt(operation, input, {
        ...this.#parts,
        use,
        acceptLanguage: context.acceptLanguage,
        timeoutMs: this.#timeoutOf(operation, context),
        signal: context.signal,
        fresh: last?.failure === "stale",
      }).finally(() => slots.release());
      const ms = performance.now() - startedAt;
      const record = recordOf(last, attempts.length + 1, waitMs, ms);
      attempts.push(record);
      onAttempt(operation, last, ms);
      if (last.class === "throttled") pacer.throttled(performance.now(), last.retryAfterMs);
      if (last.class === "token_rejected") await within(token.refresh(), remaining(context));
      const decision = decideRetry({
        idempotency: operation.idempotency,
        result: last,
        attempts: attempts.length,
        maxAttempts,
        remainingMs: remaining(context),
        newerToken: token.generation > use.generation,
        tokenRetried,
        budgetLeft: budget.canWithdraw,
        random: Math.random(),
      });
      if (!decision.retry) return conclude(operation, attempts, last, decision.reason);
      // Nobody waits for a retry now, so none is logged or paid for.
      if (context.signal?.aborted) return conclude(operation, attempts, last, "caller_gone");
      if (decision.charged) budget.withdraw();
      tokenRetried ||= last.class === "token_rejected" || last.class === "refused";
      waitMs = decision.waitMs;
      context.onRetry({ ...record, reason: decision.reason, next_wait_ms: Math.round(waitMs) });
      if (!(await pause(waitMs, context.signal))) return conclude(operation, attempts, last, "caller_gone");
    }
  }

  /** Waits for the brake and then for a free connection; says why not when neither comes in time. */
  async #admission(context: CallContext): Promise<Halt | undefined> {
    const { pacer, slots } = this.#parts;
    const now = performance.now();
    const brakeMs = pacer.reserve(now, remaining(context));
    if (brakeMs === undefined) {
      return { stopped: "no_time_left", error: "coze_throttled", retryAfterMs: pacer.waitMs(now) };
    }
    if (!(await pause(brakeMs, context.signal))) return { stopped: "caller_gone", error: "coze_unavailable" };
    // A timer can fire late; a call without time left must not send what it cannot wait for.
    if (remaining(context) === 0) return { stopped: "no_time_left", error: "coze_timeout" };
    const refusal = await slots.acquire(remaining(context), context.signal);
    if (refusal === "queue_full") return { stopped: "no_connection", error: "overloaded" };
    if (refusal === "too_late") return { stopped: "no_time_left", error: "coze_timeout" };
    if (refusal === "canceled") return { stopped: "caller_gone", error: "coze_unavailable" };
    return undefined;
  }

  /** Timers drop fractions: rounded down, the last attempt would leave time for one that nothing can come of. */
  #timeoutOf({ minAttemptTimeoutMs = 0 }: Operation, context: CallContext): number {
    return Math.ceil(
      Math.min(Math.max(this.#parts.attemptTimeoutMs, minAttemptTimeoutMs), remaining(context)),
    );
  }
}

function remaining(context: CallContext): number {
  return Math.max(0, context.deadlineAt - performance.now());
}

/** Waits; false when the caller is gone. */
async function pause(ms: number, signal: AbortSignal | undefined): Promise<boolean> {
  if (ms > 0) await sleep(ms, undefined, signal && { signal }).catch(() => undefined);
  return signal?.aborted !== true;
}

async function within(work: Promise<void>, ms: number): Promise<void> {
  const timeout = new AbortController();
  await Promise.race([work, pause(ms, timeout.signal)]);
  timeout.abort();
}
