import fc from "fast-check";
import t from "tap";
import { Pacer } from "../../src/coze/pacer.ts";

const long = 1e9;

/** ms to wait for the next turn, NaN when there is none in time. */
function waitOf(pacer: Pacer, now: number, most = long): number {
  return pacer.reserve(now, most)?.waitMs ?? Number.NaN;
}

/** Sends per second that the pacer allows from `now` on, reckoned from two neighbouring turns. */
function rate(pacer: Pacer, now: number): number {
  const first = waitOf(pacer, now);
  const second = waitOf(pacer, now);
  return Math.round(1000 / (second - first));
}

/** A pacer that has sent so many in the second that ends now. */
function busy(sent: number, now: number): Pacer {
  const pacer = new Pacer();
  for (let at = 0; at < sent; at += 1) pacer.sent(now - 500);
  return pacer;
}

t.test("nothing waits while Coze does not throttle", async (t) => {
  const pacer = new Pacer();
  for (let at = 0; at < 1000; at += 1) pacer.reserve(at, 0);
  t.equal(waitOf(pacer, 1000, 0), 0);
  t.equal(pacer.waitMs(1000), 0);
});

t.test("a hint holds everybody up until it has passed", async (t) => {
  const pacer = new Pacer();
  pacer.throttled(1000, 3000);
  t.equal(pacer.waitMs(1000), 3000);
  t.equal(pacer.reserve(1500, 2000), undefined, "2,500 ms are too long for this one");
  t.equal(waitOf(pacer, 1500, 2500), 2500);
  t.ok(waitOf(pacer, 1500) > 2500, "the next one comes after it, not with it");
});

t.test("a shorter hint does not end a longer cool-down", async (t) => {
  const pacer = new Pacer();
  pacer.throttled(0, 5000);
  pacer.throttled(10, 100);
  pacer.throttled(20, undefined);
  t.equal(pacer.waitMs(1000), 4000);
});

t.test("the first throttling halves what was sent in the last second", async (t) => {
  const pacer = busy(80, 10_000);
  pacer.throttled(10_000, undefined);
  t.equal(rate(pacer, 10_000), 40);
});

t.test("a window that has just begun does not hide what the one before it sent", async (t) => {
  const pacer = busy(80, 10_000);
  pacer.sent(10_600);
  pacer.throttled(10_600, undefined);
  t.equal(rate(pacer, 10_600), 40);
});

t.test("what was sent long ago does not count", async (t) => {
  const pacer = busy(80, 10_000);
  pacer.sent(60_000);
  pacer.throttled(60_000, undefined);
  t.equal(rate(pacer, 60_000), 1, "the least rate: recovery has to be noticed");
});

t.test("many throttlings at once halve once, later ones again", async (t) => {
  const pacer = busy(800, 10_000);
  for (let at = 0; at < 50; at += 1) pacer.throttled(10_000 + at, undefined);
  t.equal(rate(pacer, 10_050), 400);
  pacer.throttled(11_500, undefined);
  t.equal(rate(pacer, 11_500), 205, "grown by 10, then halved");
  pacer.throttled(13_000, undefined);
  t.equal(rate(pacer, 13_000), 108);
});

t.test("growth just before a throttling does not count as the halving for it", async (t) => {
  const pacer = busy(800, 10_000);
  pacer.throttled(10_000, undefined);
  pacer.reserve(11_200, long);
  pacer.throttled(11_300, undefined);
  t.equal(rate(pacer, 11_300), 205);
});

t.test("it grows by a step a second, not during a cool-down", async (t) => {
  const pacer = busy(20, 10_000);
  pacer.throttled(10_000, 2000);
  t.equal(rate(pacer, 11_999), 10);
  t.equal(rate(pacer, 12_999), 10);
  t.equal(rate(pacer, 13_000), 20);
  t.equal(rate(pacer, 15_000), 40);
});

t.test("the brake is off after half a minute of quiet", async (t) => {
  const pacer = busy(2, 10_000);
  pacer.throttled(10_000, undefined);
  for (let at = 0; at < 5; at += 1) pacer.reserve(10_000, long);
  t.ok(pacer.waitMs(10_000) > 0);
  pacer.reserve(40_001, long);
  t.equal(pacer.waitMs(40_001), 0);
  t.same([waitOf(pacer, 40_001, 0), waitOf(pacer, 40_001, 0)], [0, 0]);
});

t.test("not while a cool-down of more than half a minute lasts", async (t) => {
  const pacer = new Pacer();
  pacer.throttled(0, 60_000);
  t.equal(waitOf(pacer, 40_000), 20_000);
});

t.test("whatever happens, no turn lies within a cool-down or beyond what its caller would wait", async () => {
  const step = fc.record({
    after: fc.nat({ max: 2000 }),
    throttle: fc.boolean(),
    hint: fc.option(fc.nat({ max: 5000 }), { nil: undefined }),
    most: fc.nat({ max: 5000 }),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 100 }), (steps) => {
      const pacer = new Pacer();
      let now = 0;
      let coolUntil = 0;
      return steps.every(({ after, throttle, hint, most }) => {
        now += after;
        if (throttle) {
          pacer.throttled(now, hint);
          coolUntil = Math.max(coolUntil, now + (hint ?? 0));
          return true;
        }
        const wait = pacer.reserve(now, most)?.waitMs;
        return wait === undefined || (wait >= 0 && wait <= most && now + wait >= coolUntil);
      });
    }),
  );
});

t.test("a hint of days is told to callers, and Coze is asked again after a minute", async (t) => {
  const pacer = new Pacer();
  const days = 3 * 24 * 3_600_000;
  pacer.throttled(0, days);
  t.equal(pacer.waitMs(1000), days - 1000);
  t.equal(waitOf(pacer, 1000), 59_000);
  t.ok(pacer.waitMs(60_001) < 60_000, "nobody is told of days any more");
});

t.test("a turn that was given back goes to the next one", async (t) => {
  const pacer = new Pacer();
  const free = pacer.reserve(0, long);
  t.same(free, { waitMs: 0, stepMs: 0 }, "while the brake is off a turn puts nobody off");
  pacer.throttled(0, undefined);
  t.equal(pacer.rate, 1);
  const first = pacer.reserve(0, long);
  t.same(first, { waitMs: 0, stepMs: 1000 });
  if (first) pacer.giveBack(first);
  t.equal(waitOf(pacer, 0), 0);
  if (free) pacer.giveBack(free);
  t.equal(waitOf(pacer, 0), 1000, "the free turn gives nothing back");
});

t.test("rate and cool-down can be read", async (t) => {
  const pacer = new Pacer();
  t.same([pacer.rate, pacer.coolDownMs(0)], [Number.POSITIVE_INFINITY, 0]);
  pacer.throttled(0, 2_000);
  t.same([pacer.rate, pacer.coolDownMs(500), pacer.coolDownMs(3_000)], [1, 1_500, 0]);
});
