import fc from "fast-check";
import t from "tap";
import { draw, slackMs } from "../../../src/callers/rate-limit/bucket.ts";
import { unlimited, verdictOf } from "../../../src/callers/rate-limit/verdict.ts";
import { parseRate, Rate } from "../../../src/config/rate.ts";
import { rates, times } from "./reference.ts";

t.test("what is left, and when there is more", async (t) => {
  const limit = new Rate(100, 1_000);
  t.same(verdictOf(limit, true, 10), {
    allowed: true,
    limit,
    remaining: 99,
    resetSeconds: 1,
    retryAfterSeconds: 0,
  });
  t.match(verdictOf(limit, true, 1_000), { remaining: 0, resetSeconds: 1, retryAfterSeconds: 0 });
  t.match(verdictOf(limit, false, 1_000), {
    allowed: false,
    remaining: 0,
    resetSeconds: 1,
    retryAfterSeconds: 1,
  });
  t.match(verdictOf(limit, false, 995), { remaining: 0 }, "half a token is none");
  t.match(verdictOf(limit, true, 1_000 + 1.1 * slackMs(limit)), { remaining: 0 }, "never less than none");
});

t.test("seconds are rounded up, and sums that are not exact do not make one more of them", async (t) => {
  const hourly = new Rate(2, 3_600_000);
  t.match(verdictOf(hourly, false, 3_600_000), { resetSeconds: 1_800, retryAfterSeconds: 1_800 });
  t.match(verdictOf(hourly, false, 1_800_001), { resetSeconds: 1 });
  t.match(verdictOf(new Rate(1, 5_000), false, 5_000.000001), { retryAfterSeconds: 5 });
});

t.test("without a limit there is nothing to tell", async (t) => {
  const limit = parseRate("unlimited");
  const remaining = Number.POSITIVE_INFINITY;
  t.same(unlimited(limit), { allowed: true, limit, remaining, resetSeconds: 0, retryAfterSeconds: 0 });
});

t.test("what it says is what comes true", async () => {
  fc.assert(
    fc.property(
      rates.chain((rate) => fc.tuple(fc.constant(rate), times(rate))),
      ([rate, all]) => {
        let fullAt: number | undefined;
        return all.every((now) => {
          const drawn = draw(fullAt, rate, now);
          fullAt = drawn.fullAt;
          const verdict = verdictOf(rate, drawn.allowed, fullAt - now);
          const possible = (at: number) => {
            let last: number | undefined = fullAt;
            for (let taken = 0; ; taken += 1) {
              const next = draw(last, rate, at);
              if (!next.allowed) return taken;
              last = next.fullAt;
            }
          };
          return (
            possible(now) === verdict.remaining &&
            possible(now + verdict.resetSeconds * 1_000) > verdict.remaining &&
            (verdict.resetSeconds === 1 ||
              possible(now + (verdict.resetSeconds - 1) * 1_000) === verdict.remaining) &&
            verdict.retryAfterSeconds === (verdict.allowed ? 0 : verdict.resetSeconds)
          );
        });
      },
    ),
  );
});
