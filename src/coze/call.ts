import { setTimeout as sleep } from "node:timers/promises";
import type { GatewayErrorName, Outcome } from "../errors.ts";
import { isMutating, type Operation, type OperationInput, requestTarget } from "../operation.ts";
import { type AttemptResult, classify } from "./classify.ts";
import type { AttemptClass } from "./codes.ts";
import type { CozeClient, Exchange, ExchangeRequest } from "./exchange.ts";
import type { Pacer } from "./pacer.ts";
import type { RetryBudget } from "./retry-budget.ts";
import { decideRetry, type StopReason } from "./retry-policy.ts";
import type { Slots } from "./slots.ts";
import type { CozeToken, TokenUse } from "./token.ts";

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

/** A retry that is about to be made, for the log. */
export interface RetryNotice extends AttemptRecord {
  readonly reason: string;
  readonly next_wait_ms: number;
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
  readonly onAttempt: (operation: Operation, record: AttemptRecord) => void;
}

/** Where a call stopped before its next attempt. */
interface Halt {
  readonly stopped: StopReason;
  readonly error: GatewayErrorName;
  readonly retryAfterMs?: number;
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
    const { token, budget, maxAttempts } = this.#parts;
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
      last = await this.#attempt(operation, input, use, context, last?.failure === "stale");
      const record = recordOf(last, attempts.length + 1, waitMs, performance.now() - startedAt);
      attempts.push(record);
      this.#parts.onAttempt(operation, record);
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

  async #attempt(
    operation: Operation,
    input: OperationInput,
    use: TokenUse,
    context: CallContext,
    fresh: boolean,
  ): Promise<AttemptResult> {
    const { client, slots, pacer, token, attemptTimeoutMs, userAgent } = this.#parts;
    const mostMs = Math.max(attemptTimeoutMs, operation.minAttemptTimeoutMs ?? 0);
    // Timers drop fractions: rounded down, the last attempt would leave time for one that nothing can come of.
    const timeoutMs = Math.ceil(Math.min(mostMs, remaining(context)));
    const request: ExchangeRequest = {
      method: operation.method,
      target: requestTarget(operation, input),
      headers: {
        authorization: use.authorization,
        accept: "application/json",
        "accept-encoding": "identity",
        "content-type": "application/json",
        "user-agent": userAgent,
        ...(context.acceptLanguage !== undefined && { "accept-language": context.acceptLanguage }),
      },
      body: input.body === undefined ? undefined : JSON.stringify(input.body),
    };
    const exchange = await client
      .exchange(request, timeoutMs, { signal: context.signal, fresh })
      .finally(() => slots.release());
    const result = classify(withoutLeak(exchange, token), Date.now());
    if (result.class === "throttled") pacer.throttled(performance.now(), result.retryAfterMs);
    return result;
  }
}

/** A reply that shows our own token goes no further than here, neither to a caller nor to a log (DESIGN section 1.2). */
function withoutLeak(exchange: Exchange, token: CozeToken): Exchange {
  if (exchange.kind === "failure") return exchange;
  const logid = Buffer.from([exchange.headers["x-tt-logid"] ?? []].flat().join());
  if (!token.isIn(exchange.body) && !token.isIn(logid)) return exchange;
  return { kind: "failure", failure: "leak", sent: true, detail: "the reply shows the gateway's token" };
}

function recordOf(result: AttemptResult, attempt: number, waitMs: number, ms: number): AttemptRecord {
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

function conclude(
  operation: Operation,
  attempts: readonly AttemptRecord[],
  last: AttemptResult | undefined,
  stopped: StopReason,
  halt?: Halt,
): CallResult {
  const error = last ? last.error : halt?.error;
  const retryAfterMs = halt?.retryAfterMs ?? last?.retryAfterMs;
  return { error, last, attempts, stopped, retryAfterMs, outcome: outcomeOf(operation, attempts, last) };
}

/** Once an attempt may have taken effect, no later refusal proves that it did not (FAULTS 17). */
function outcomeOf(
  operation: Operation,
  attempts: readonly AttemptRecord[],
  last: AttemptResult | undefined,
): Outcome | undefined {
  if (!isMutating(operation) || last?.class === "ok") return undefined;
  if (attempts.some((attempt) => attempt.class === "fault" || attempt.class === "lost")) return "unknown";
  return last === undefined || last.class === "not_sent" ? "not_sent" : "refused";
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
