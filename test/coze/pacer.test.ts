import fc from "fast-check";
import t from "tap";
import { Brake } from "../../src/coze/brake.ts";
import { Pacer } from "../../src/coze/pacer.ts";

/** A pacer with its brake off, that keeps to a rate when one is given. */
const pacerOf = (mostRate?: number) => new Pacer(new Brake(), mostRate);

/** Sends as soon as it may, from one time to another; gives the times. */
function sends(pacer: Pacer, from: number, to: number): number[] {
  const times: number[] = [];
  for (let now = from + pacer.waitMs(from); now < to; now += pacer.waitMs(now)) {
    pacer.sent(now);
    times.push(now);
  }
  return times;
}

/** Most sends of these in any second. */
function mostInASecond(times: readonly number[]): number {
  return Math.max(0, ...times.map((start) => times.filter((at) => at >= start && at < start + 1000).length));
}

t.test("without a limit nothing waits while Coze does not throttle", async (t) => {
  const pacer = pacerOf();
  for (let at = 0; at < 1000; at += 1) pacer.sent(at);
  t.same(
    [pacer.rate(1000), pacer.waitMs(1000), pacer.turnMs(500, 1000), pacer.isThrottled(1000)],
    [Number.POSITIVE_INFINITY, 0, 0, false],
  );
});

t.test("a limit lets a small burst go, then one after the other", async (t) => {
  const pacer = pacerOf(40);
  t.equal(pacer.rate(0), 40);
  t.same(sends(pacer, 0, 130), [0, 0, 0, 0, 0, 25, 50, 75, 100, 125]);
  const times = sends(pacerOf(40), 0, 10_000);
  t.equal(times.filter((at) => at === 0).length, 5, "a tenth of a second's and one more");
  t.equal(times.length, 404);
  t.equal(mostInASecond(times), 44);
});

t.test("what is not used is saved for a burst only, however long", async (t) => {
  const pacer = pacerOf(10);
  sends(pacer, 0, 1000);
  t.equal(sends(pacer, 3_600_000, 3_600_001).length, 2);
});

t.test("a turn is foreseen: what is sent before it and how long that takes", async (t) => {
  const pacer = pacerOf(40);
  t.same(
    [1, 5, 6, 45].map((turn) => pacer.turnMs(turn, 0)),
    [0, 0, 25, 1000],
  );
  sends(pacer, 0, 1);
  t.same(
    [1, 2, 41].map((turn) => pacer.turnMs(turn, 0)),
    [25, 50, 1025],
  );
  t.equal(pacer.retryAfterMs(41, 0), 1025);
});

t.test("a hint holds everybody up until it has passed, then one after the other goes", async (t) => {
  const pacer = pacerOf();
  pacer.throttled(1000, 3000);
  t.equal(pacer.waitMs(1000), 3000);
  t.equal(pacer.retryAfterMs(1, 1000), 3000);
  t.ok(pacer.isThrottled(1000));
  t.same(sends(pacer, 1500, 5500).map(Math.round), [4000, 5000, 5091, 5182, 5273, 5364, 5455]);
});

t.test("the brake takes away what was saved up for a burst", async (t) => {
  const pacer = pacerOf(20);
  t.equal(sends(pacer, 0, 1).length, 3);
  pacer.throttled(10_000, undefined);
  t.equal(sends(pacer, 10_000, 10_040).length, 1);
});

t.test("the lower of limit and brake counts, and is told as the reason", async (t) => {
  const brake = new Brake();
  const pacer = new Pacer(brake, 15);
  for (let at = 0; at < 20; at += 1) pacer.sent(9_500);
  pacer.throttled(10_000, undefined);
  t.same([pacer.rate(10_000), pacer.isThrottled(10_000)], [10, true]);
  t.equal(brake.rate(11_000), 20);
  t.same([pacer.rate(11_000), pacer.isThrottled(11_000)], [15, false]);
  pacer.throttled(11_001, 5000);
  t.ok(brake.rate(11_001) < 15);
  pacer.throttled(12_000, 20_000);
  t.ok(pacer.isThrottled(20_000), "a cool-down is Coze's doing whatever the rate");
  t.ok(pacer.retryAfterMs(1000, 12_000) > 60_000, "the limit lets 1000 go in a minute only");
});

t.test("during a cool-down the reason is Coze, even where the limit is the lower one", async (t) => {
  const pacer = pacerOf(2);
  for (let at = 0; at < 100; at += 1) pacer.sent(9_500);
  pacer.throttled(10_000, 1000);
  t.same([pacer.rate(10_500), pacer.isThrottled(10_500)], [2, true]);
  t.same([pacer.rate(11_000), pacer.isThrottled(11_000)], [2, false]);
});

t.test("after half a minute without throttling only the limit is left", async (t) => {
  const pacer = pacerOf(1000);
  pacer.throttled(0, undefined);
  t.ok(pacer.rate(0) < 1000);
  t.equal(pacer.rate(30_001), 1000);
});

const step = fc.record({
  after: fc.oneof(fc.nat({ max: 30 }), fc.nat({ max: 3000 })),
  sends: fc.nat({ max: 30 }),
  throttle: fc.boolean(),
  hint: fc.option(fc.nat({ max: 5000 }), { nil: undefined }),
});

t.test("whatever happens, in any second no more is sent than the limit and a burst", async () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 200 }), fc.array(step, { maxLength: 60 }), (mostRate, steps) => {
      const pacer = pacerOf(mostRate);
      const times: number[] = [];
      let now = 0;
      for (const { after, sends, throttle, hint } of steps) {
        now += after;
        if (throttle) pacer.throttled(now, hint);
        for (let at = 0; at < sends; at += 1) {
          now += pacer.waitMs(now);
          pacer.sent(now);
          times.push(now);
        }
      }
      return mostInASecond(times) <= mostRate + mostRate / 10 + 1;
    }),
  );
});

t.test("whatever happens, nothing is sent within a cool-down", async () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 100 }), (steps) => {
      const pacer = pacerOf();
      let now = 0;
      let coolUntil = 0;
      return steps.every(({ after, throttle, hint }) => {
        now += after;
        if (throttle) {
          pacer.throttled(now, hint);
          coolUntil = Math.max(coolUntil, now + (hint ?? 0));
        }
        const waitMs = pacer.waitMs(now);
        if (waitMs === 0) pacer.sent(now);
        return waitMs >= 0 && now + waitMs >= coolUntil;
      });
    }),
  );
});
