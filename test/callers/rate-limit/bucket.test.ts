import fc from "fast-check";
import t from "tap";
import { charge, draw } from "../../../src/callers/rate-limit/bucket.ts";
import { Rate } from "../../../src/config/rate.ts";
import { excess, ReferenceBucket, rates, times } from "./reference.ts";

const perSecond = new Rate(10, 1_000);

/** Takes as many as are allowed at one time, and tells how many and when the bucket will be full. */
function drain(fullAt: number | undefined, rate: Rate, now: number) {
  let taken = 0;
  for (let last = fullAt; ; taken += 1) {
    const drawn = draw(last, rate, now);
    if (!drawn.allowed) return { taken, fullAt: drawn.fullAt };
    last = drawn.fullAt;
  }
}

t.test("a full bucket gives its quota at once, then one for each step of time", async (t) => {
  const { taken, fullAt } = drain(undefined, perSecond, 5_000);
  t.equal(taken, 10);
  t.equal(fullAt, 6_000);
  t.equal(draw(fullAt, perSecond, 5_099).allowed, false);
  t.equal(drain(fullAt, perSecond, 5_100).taken, 1);
  t.equal(drain(fullAt, perSecond, 5_550).taken, 5);
  t.equal(drain(fullAt, perSecond, 90_000).taken, 10, "never more than it holds");
});

t.test("the quota is given whole at any rate and any time", async (t) => {
  for (const quota of [1, 3, 7, 100, 333, 1_000]) {
    for (const windowMs of [1_000, 60_000, 3_600_000]) {
      for (const now of [0, 0.1, 123_456.789, 1e9 + 1 / 3]) {
        t.equal(
          drain(undefined, new Rate(quota, windowMs), now).taken,
          quota,
          `${quota} in ${windowMs} at ${now}`,
        );
      }
    }
  }
});

t.test("a refusal takes nothing", async (t) => {
  const { fullAt } = drain(undefined, perSecond, 0);
  let last = fullAt;
  for (let now = 0; now < 99; now += 1) last = draw(last, perSecond, now).fullAt;
  t.equal(last, fullAt);
  t.ok(draw(last, perSecond, 100).allowed);
});

t.test("a charge empties a bucket, and no more than that", async (t) => {
  let fullAt = charge(undefined, perSecond, 0);
  t.equal(fullAt, 100);
  for (let at = 0; at < 50; at += 1) fullAt = charge(fullAt, perSecond, 0);
  t.equal(fullAt, 1_000);
  t.equal(drain(fullAt, perSecond, 500).taken, 5);
});

t.test("nobody waits longer than the window in force, whatever was before", async (t) => {
  const perHour = new Rate(1, 3_600_000);
  const { fullAt } = drain(undefined, perHour, 0);
  t.equal(drain(fullAt, perSecond, 1_000).taken, 0, "an empty bucket stays empty at the new rate");
  t.equal(drain(draw(fullAt, perSecond, 1_000).fullAt, perSecond, 2_000).taken, 10);
});

t.test("it is the bucket that one would describe, at any times", async () => {
  fc.assert(
    fc.property(
      rates.chain((rate) => fc.tuple(fc.constant(rate), times(rate))),
      ([rate, all]) => {
        const reference = new ReferenceBucket(rate);
        let fullAt: number | undefined;
        return all.every((now) => {
          const drawn = draw(fullAt, rate, now);
          fullAt = drawn.fullAt;
          return drawn.allowed === reference.take(now);
        });
      },
    ),
    { numRuns: 500 },
  );
});

t.test("in no stretch of time does more pass than the quota and what comes in meanwhile", async (t) => {
  fc.assert(
    fc.property(
      rates.chain((rate) => fc.tuple(fc.constant(rate), times(rate))),
      ([rate, all]) => {
        let fullAt: number | undefined;
        const allowedAt = all.filter((now) => {
          const drawn = draw(fullAt, rate, now);
          fullAt = drawn.fullAt;
          return drawn.allowed;
        });
        return excess(allowedAt, rate) <= 0;
      },
    ),
    { numRuns: 500 },
  );
  t.equal(excess([0, 0, 0], new Rate(2, 1_000)), 1, "the check sees one too many");
});
