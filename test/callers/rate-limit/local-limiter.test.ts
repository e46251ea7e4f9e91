import fc from "fast-check";
import t from "tap";
import { LocalLimiter } from "../../../src/callers/rate-limit/local-limiter.ts";
import { parseRate, Rate } from "../../../src/config/rate.ts";
import { ReferenceBucket, rates, times } from "./reference.ts";

t.test("it counts each key by itself, and says what is left", async (t) => {
  let now = 7_000;
  const limiter = new LocalLimiter(() => now);
  const limit = new Rate(2, 1_000);
  t.match(limiter.take("a", limit), { allowed: true, limit, remaining: 1, resetSeconds: 1 });
  t.match(limiter.take("a", limit), { allowed: true, remaining: 0 });
  t.match(limiter.take("a", limit), { allowed: false, remaining: 0, retryAfterSeconds: 1 });
  t.match(limiter.take("b", limit), { allowed: true, remaining: 1 });
  now += 500;
  t.match(limiter.take("a", limit), { allowed: true, remaining: 0 });
});

t.test("what was allowed elsewhere is missing here", async (t) => {
  const limiter = new LocalLimiter(() => 0);
  const limit = new Rate(3, 1_000);
  limiter.charge("a", limit);
  t.match(limiter.take("a", limit), { allowed: true, remaining: 1 });
  for (let at = 0; at < 9; at += 1) limiter.charge("a", limit);
  t.match(limiter.take("a", limit), { allowed: false, retryAfterSeconds: 1 });
});

t.test("without a limit nothing is counted or kept", async (t) => {
  const limiter = new LocalLimiter();
  for (let at = 0; at < 1_000; at += 1) t.ok(limiter.take(`a-${at}`, parseRate("unlimited")).allowed);
  t.equal(limiter.size, 0);
});

t.test("a limit that was changed holds from the next request on", async (t) => {
  let now = 0;
  const limiter = new LocalLimiter(() => now);
  t.ok(limiter.take("a", new Rate(1, 3_600_000)).allowed);
  t.match(limiter.take("a", new Rate(1, 3_600_000)), { allowed: false, retryAfterSeconds: 3_600 });
  now = 1;
  t.match(limiter.take("a", new Rate(10, 1_000)), { allowed: false, retryAfterSeconds: 1 });
  now = 1_001;
  t.match(limiter.take("a", new Rate(10, 1_000)), { allowed: true, remaining: 9 });
});

t.test("its own clock is that of the process, which nobody sets", async (t) => {
  const limiter = new LocalLimiter();
  t.ok(limiter.take("a", new Rate(1, 3_600_000)).allowed);
  const { now } = Date;
  t.teardown(() => {
    Date.now = now;
  });
  Date.now = () => now() + 7_200_000;
  t.notOk(limiter.take("a", new Rate(1, 3_600_000)).allowed);
});

t.test("verdicts are those of a plain bucket", async () => {
  fc.assert(
    fc.property(
      rates.chain((rate) => fc.tuple(fc.constant(rate), times(rate))),
      ([rate, all]) => {
        let now = 0;
        const limiter = new LocalLimiter(() => now);
        const reference = new ReferenceBucket(rate);
        return all.every((at) => {
          now = at;
          const { allowed, remaining } = limiter.take("a", rate);
          return allowed === reference.take(at) && remaining === reference.remaining;
        });
      },
    ),
  );
});
