import fc from "fast-check";
import t from "tap";
import { type AttemptClass, permissionMissingCode } from "../../src/coze/codes.ts";
import { decideRetry, type RetryFacts } from "../../src/coze/retry-policy.ts";

const classes: readonly AttemptClass[] = [
  "ok",
  "not_sent",
  "throttled",
  "fault",
  "lost",
  "token_rejected",
  "refused",
];

const facts: fc.Arbitrary<RetryFacts> = fc.record({
  idempotency: fc.constantFrom("safe", "idempotent", "once"),
  result: fc.record({
    class: fc.constantFrom(...classes),
    code: fc.constantFrom(undefined, 0, 4000, 4100, permissionMissingCode, 5000),
    retryAfterMs: fc.option(fc.integer({ min: 0, max: 60_000 }), { nil: undefined }),
    failure: fc.constantFrom("certificate", "connect", "stale", "reset", undefined),
  }),
  attempts: fc.integer({ min: 1, max: 6 }),
  maxAttempts: fc.integer({ min: 1, max: 6 }),
  remainingMs: fc.double({ min: 0, max: 20_000, noNaN: true }),
  leastMs: fc.constantFrom(0, 250, 4_000),
  otherToken: fc.boolean(),
  tokenRetried: fc.boolean(),
  budgetLeft: fc.boolean(),
  random: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
});

/** Holds for every combination; a counterexample is printed with its seed. */
function always(holds: (given: RetryFacts) => boolean): void {
  fc.assert(fc.property(facts, holds), { numRuns: 2000 });
}

const usual: RetryFacts = {
  idempotency: "safe",
  result: { class: "fault", code: 5000, retryAfterMs: undefined, failure: undefined },
  attempts: 1,
  maxAttempts: 3,
  remainingMs: 10_000,
  leastMs: 250,
  otherToken: false,
  tokenRetried: false,
  budgetLeft: true,
  random: 0.5,
};
const ended = (given: Partial<RetryFacts["result"]>): RetryFacts["result"] => ({ ...usual.result, ...given });

t.test("once is never repeated after a fault or a lost answer, whatever else holds", async () => {
  always((given) => {
    const doubtful = given.result.class === "fault" || given.result.class === "lost";
    return !(doubtful && given.idempotency === "once" && decideRetry(given).retry);
  });
});

t.test("never more than maxAttempts, but for the one try with another token", async () => {
  always((given) => {
    const { class: ended } = given.result;
    const rejected = ended === "token_rejected" || ended === "refused";
    const another = rejected && given.otherToken && !given.tokenRetried;
    return given.attempts < given.maxAttempts || another || !decideRetry(given).retry;
  });
});

t.test("never a wait that does not leave the time that an attempt needs", async () => {
  always((given) => {
    const decision = decideRetry(given);
    return !decision.retry || (decision.waitMs >= 0 && decision.waitMs + given.leastMs <= given.remainingMs);
  });
});

t.test("a success is never repeated, a refusal only for another token", async () => {
  always((given) => {
    const decision = decideRetry(given);
    if (given.result.class === "ok") return !decision.retry && decision.reason === "done";
    if (given.result.class !== "refused") return true;
    const excused = given.result.code === permissionMissingCode && given.otherToken && !given.tokenRetried;
    return excused || !decision.retry;
  });
});

t.test(
  "a wait is the hint and up to one jitter on top; none after a token rejection or a stale connection",
  async () => {
    always((given) => {
      const decision = decideRetry(given);
      if (!decision.retry) return true;
      const { class: ended, retryAfterMs: hint = 0 } = given.result;
      const atOnce = ended === "token_rejected" || ended === "refused" || given.result.failure === "stale";
      if (atOnce) return decision.waitMs === 0;
      const base = ended === "throttled" && hint === 0 ? 500 : 100;
      const most = Math.min(2_000, base * 2 ** (given.attempts - 1));
      return decision.waitMs >= hint && decision.waitMs <= hint + most;
    });
  },
);

t.test("the jitter uses the whole range", async (t) => {
  const wait = (random: number, attempts: number) => {
    const decision = decideRetry({ ...usual, maxAttempts: 10, random, attempts });
    return decision.retry ? decision.waitMs : undefined;
  };
  t.same([wait(0, 1), wait(0.5, 1), wait(0.5, 2), wait(0.5, 3)], [0, 50, 100, 200]);
  t.equal(wait(0.5, 9), 1000, "the bound stops growing at 2 s");
});

t.test("what reached a Coze in trouble is paid from the budget, what did not is free", async (t) => {
  always((given) => {
    const decision = decideRetry(given);
    if (!decision.retry) return true;
    const { class: ended } = given.result;
    const rejected = ended === "token_rejected" || ended === "refused";
    const free = ended === "not_sent" || given.result.failure === "stale" || (rejected && given.otherToken);
    return decision.charged === !free;
  });
  always((given) => {
    const decision = decideRetry(given);
    return given.budgetLeft || !decision.retry || !decision.charged;
  });
  t.match(decideRetry({ ...usual, budgetLeft: false }), { retry: false, reason: "budget_empty" });
  t.match(decideRetry({ ...usual, budgetLeft: false, result: ended({ class: "not_sent" }) }), {
    retry: true,
    charged: false,
  });
});

t.test("a certificate that does not verify is not tried again, another connect failure is", async (t) => {
  const result = ended({ class: "not_sent", failure: "certificate" });
  t.match(decideRetry({ ...usual, result }), { retry: false, reason: "certificate" });
  t.match(decideRetry({ ...usual, result: ended({ class: "not_sent" }), idempotency: "once" }), {
    retry: true,
    reason: "not_sent",
  });
});

t.test("a rejected token gets one more try", async (t) => {
  const result = ended({ class: "token_rejected", code: 4100 });
  t.same(decideRetry({ ...usual, result, idempotency: "once" }), {
    retry: true,
    waitMs: 0,
    charged: true,
    reason: "token_rejected",
  });
  t.match(decideRetry({ ...usual, result, tokenRetried: true }), { retry: false, reason: "token_retried" });
});

t.test("a missing permission gets one more try with another token only", async (t) => {
  const result = ended({ class: "refused", code: permissionMissingCode });
  t.same(decideRetry({ ...usual, result }), { retry: false, reason: "refused" });
  t.same(decideRetry({ ...usual, result, otherToken: true }), {
    retry: true,
    waitMs: 0,
    charged: false,
    reason: "other_token",
  });
  t.match(decideRetry({ ...usual, result, otherToken: true, tokenRetried: true }), {
    retry: false,
    reason: "token_retried",
  });
});

t.test("the try with another token does not count as an attempt", async (t) => {
  const result = ended({ class: "token_rejected", code: 4100 });
  const last = { ...usual, result, attempts: 1, maxAttempts: 1 };
  t.match(decideRetry({ ...last, otherToken: true }), { retry: true, waitMs: 0, charged: false });
  t.match(decideRetry({ ...last, otherToken: false }), { retry: false, reason: "attempts_used_up" });
  t.match(decideRetry({ ...last, otherToken: true, tokenRetried: true }), {
    retry: false,
    reason: "token_retried",
  });
});

t.test("the other reasons to stop", async (t) => {
  t.same(decideRetry({ ...usual, idempotency: "once" }), { retry: false, reason: "maybe_done" });
  t.same(decideRetry({ ...usual, attempts: 3 }), { retry: false, reason: "attempts_used_up" });
  const result = ended({ class: "throttled", retryAfterMs: 10_000 });
  t.same(decideRetry({ ...usual, result, random: 0 }), { retry: false, reason: "no_time_left" });
  t.same(decideRetry({ ...usual, result, random: 0.9, remainingMs: 10_250 }), {
    retry: true,
    waitMs: 10_000,
    charged: true,
    reason: "throttled",
  });
});
