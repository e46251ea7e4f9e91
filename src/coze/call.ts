import type { Operation, OperationInput } from "../operation.ts";
import type { Admission } from "./admission.ts";
import { attempt, requestOf } from "./attempt.ts";
import {
  type AttemptRecord,
  type CallResult,
  conclude,
  type Halt,
  type RetryNotice,
  recordOf,
} from "./call-result.ts";
import type { AttemptResult } from "./classify.ts";
import type { CozeClient, ExchangeRequest } from "./exchange.ts";
import { pause } from "./pause.ts";
import type { RetryBudget } from "./retry-budget.ts";
import { decideRetry } from "./retry-policy.ts";
import type { CozeToken, TokenUse } from "./token/token.ts";

/** What one call is made under. */
export interface CallContext {
  /** Id of the caller, between whom turns at Coze are shared. */
  readonly caller: string;
  /** The caller's share, relative to those of others; above 0. */
  readonly weight: number;
  /** When the time for the whole call is over, on the clock of `performance.now()`. */
  readonly deadlineAt: number;
  readonly acceptLanguage: string | undefined;
  /** Gives up the call; given for safe operations only, a change is never stopped half way. */
  readonly signal: AbortSignal | undefined;
  readonly onRetry: (notice: RetryNotice) => void;
}

/** What the calls share. */
export interface CozeApiParts {
  readonly client: CozeClient;
  readonly token: CozeToken;
  readonly admission: Admission;
  readonly budget: RetryBudget;
  readonly maxAttempts: number;
  readonly attemptTimeoutMs: number;
  readonly userAgent: string;
  /** Told of each attempt and how many ms it took. */
  readonly onAttempt: (operation: Operation, result: AttemptResult, ms: number) => void;
}

/** An attempt with less time than this, in ms, would most likely end as `unknown` and nothing else. */
const usualLeastMs = 250;

/** Carries out operations at Coze: attempts, waits and the decision when to stop. */
export class CozeApi {
  readonly #parts: CozeApiParts;
  readonly #underWay = new Set<Promise<CallResult>>();

  constructor(parts: CozeApiParts) {
    this.#parts = parts;
  }

  /** How many calls are under way, waiting ones included. */
  get underWay(): number {
    return this.#underWay.size;
  }

  /** The request that a call would send, without the token. */
  preview(operation: Operation, input: OperationInput, acceptLanguage: string | undefined): ExchangeRequest {
    return requestOf(operation, input, this.#parts.userAgent, acceptLanguage);
  }

  /** Makes one call with as many attempts as the policy allows; never later than the deadline, never rejects. */
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
    const { client, token, admission, budget, maxAttempts, userAgent, onAttempt } = this.#parts;
    const { caller, weight, deadlineAt, signal } = context;
    const request = requestOf(operation, input, userAgent, context.acceptLanguage);
    const [timeoutMs, leastMs] = this.#attemptTimes(operation, remaining(deadlineAt));
    const attempts: AttemptRecord[] = [];
    let last: AttemptResult | undefined;
    let mayHaveActed = false;
    let retry: RetryNotice | undefined;
    /** The use of the token that Coze rejected, once the call is repeated for it. */
    let rejected: TokenUse | undefined;
    budget.deposit();
    for (;;) {
      const halt =
        (await this.#tokenHalt(context)) ??
        (await admission.enter({ caller, weight, deadlineAt, leastMs, signal }));
      if (halt) {
        if (retry?.charged) budget.refund();
        return conclude(operation, { attempts, last, mayHaveActed, stopped: halt.stopped, halt });
      }
      if (retry) context.onRetry(retry);
      const startedAt = performance.now();
      const use = token.use(rejected);
      last = await attempt(request, {
        client,
        token,
        use,
        signal,
        // Timers drop fractions: rounded down, the last attempt would leave time for one that nothing can come of.
        timeoutMs: Math.ceil(Math.min(timeoutMs, remaining(deadlineAt))),
        fresh: last?.failure === "stale",
        onDone: () => admission.leave(),
      });
      const ms = performance.now() - startedAt;
      const record = recordOf(last, attempts.length + 1, retry?.next_wait_ms ?? 0, ms);
      attempts.push(record);
      mayHaveActed ||= last.mayHaveActed;
      onAttempt(operation, last, ms);
      if (last.class === "throttled") admission.throttled(last.retryAfterMs);
      // Nobody waits for this call any more, so nothing is to be said of Coze or decided.
      if (signal?.aborted && last.class !== "ok")
        return conclude(operation, { attempts, last, mayHaveActed, stopped: "caller_gone" });
      if (last.class === "ok") token.accepted(use);
      if (last.class === "token_rejected") await waitAtMost(token.rejected(use), remaining(deadlineAt));
      const decision = decideRetry({
        idempotency: operation.idempotency,
        result: last,
        attempts: attempts.length,
        maxAttempts,
        remainingMs: remaining(deadlineAt),
        leastMs,
        otherToken: token.hasOther(use, last.class === "refused"),
        tokenRetried: rejected !== undefined,
        budgetLeft: budget.canWithdraw,
        random: Math.random(),
      });
      if (!decision.retry)
        return conclude(operation, { attempts, last, mayHaveActed, stopped: decision.reason });
      const { charged, reason, waitMs } = decision;
      if (charged) budget.withdraw();
      if (last.class === "token_rejected" || last.class === "refused") rejected = use;
      retry = { ...record, reason, charged, next_wait_ms: Math.round(waitMs) };
      await pause(waitMs, signal);
    }
  }

  /** While no token is usable: waits for one that is on its way; why the call cannot go on, when none came. */
  async #tokenHalt({ deadlineAt, signal }: CallContext): Promise<Halt | undefined> {
    const { token } = this.#parts;
    if (!token.usable) await waitAtMost(token.awaited(), remaining(deadlineAt), signal);
    if (token.usable) return undefined;
    if (signal?.aborted) return { stopped: "caller_gone", error: "coze_unavailable" };
    return { stopped: "no_token", error: "token_unavailable" };
  }

  /** Time for one attempt, and the least that is worth one; never more than half of a call whose time is short. */
  #attemptTimes(
    { minAttemptTimeoutMs = 0 }: Operation,
    totalMs: number,
  ): [timeoutMs: number, leastMs: number] {
    const timeoutMs = Math.max(this.#parts.attemptTimeoutMs, minAttemptTimeoutMs);
    return [timeoutMs, Math.min(Math.max(usualLeastMs, minAttemptTimeoutMs / 2), totalMs / 2)];
  }
}

function remaining(deadlineAt: number): number {
  return Math.max(0, deadlineAt - performance.now());
}

async function waitAtMost(work: Promise<void>, ms: number, signal?: AbortSignal): Promise<void> {
  const timeout = new AbortController();
  const ended = signal ? AbortSignal.any([timeout.signal, signal]) : timeout.signal;
  await Promise.race([work, pause(ms, ended)]);
  timeout.abort();
}
