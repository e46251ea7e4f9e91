import t from "tap";
import { Brake } from "../../src/coze/brake.ts";

/** A brake that has seen so many sends in the second that ends now. */
function busy(sent: number, now: number): Brake {
  const brake = new Brake();
  for (let at = 0; at < sent; at += 1) brake.sent(now - 500);
  return brake;
}

t.test("it is off while Coze does not throttle", async (t) => {
  const brake = busy(1000, 10_000);
  t.same(
    [brake.rate(10_000), brake.coolDownMs(10_000), brake.hintMs(10_000), brake.msFor(1000, 10_000)],
    [Number.POSITIVE_INFINITY, 0, 0, 0],
  );
});

t.test("a hint is a cool-down; a shorter one does not end a longer one", async (t) => {
  const brake = new Brake();
  brake.throttled(0, 5000);
  brake.throttled(10, 100);
  brake.throttled(20, undefined);
  t.same([brake.coolDownMs(1000), brake.hintMs(1000)], [4000, 4000]);
  t.same([brake.coolDownMs(6000), brake.hintMs(6000)], [0, 0]);
});

t.test("a hint of days is told to callers, and Coze is asked again after a minute", async (t) => {
  const brake = new Brake();
  const days = 3 * 24 * 3_600_000;
  brake.throttled(0, days);
  t.equal(brake.hintMs(1000), days - 1000);
  t.equal(brake.coolDownMs(1000), 59_000);
  t.equal(brake.hintMs(60_001), 0, "nobody is told of days any more");
});

t.test("the first throttling halves what was sent in the last second", async (t) => {
  const brake = busy(80, 10_000);
  brake.throttled(10_000, undefined);
  t.equal(brake.rate(10_000), 40);
});

t.test("a window that has just begun does not hide what the one before it sent", async (t) => {
  const brake = busy(80, 10_000);
  brake.sent(10_600);
  brake.throttled(10_600, undefined);
  t.equal(brake.rate(10_600), 40);
});

t.test("what was sent long ago does not count", async (t) => {
  const brake = busy(80, 10_000);
  brake.sent(60_000);
  brake.throttled(60_000, undefined);
  t.equal(brake.rate(60_000), 1, "the least rate: recovery has to be noticed");
});

t.test("many throttlings at once halve once, later ones again", async (t) => {
  const brake = busy(800, 10_000);
  for (let at = 0; at < 50; at += 1) brake.throttled(10_000 + at, undefined);
  t.equal(brake.rate(10_050), 400);
  brake.throttled(11_500, undefined);
  t.equal(brake.rate(11_500), 205, "grown by 10, then halved");
  brake.throttled(13_000, undefined);
  t.equal(brake.rate(13_000), 107.5);
});

t.test("growth just before a throttling does not count as the halving for it", async (t) => {
  const brake = busy(800, 10_000);
  brake.throttled(10_000, undefined);
  t.equal(brake.rate(11_200), 410);
  brake.throttled(11_300, undefined);
  t.equal(brake.rate(11_300), 205);
});

t.test("it grows by a step a second, not during a cool-down", async (t) => {
  const brake = busy(20, 10_000);
  brake.throttled(10_000, 2000);
  t.equal(brake.rate(11_999), 10);
  t.equal(brake.rate(12_999), 10);
  t.equal(brake.rate(13_000), 20);
  t.equal(brake.rate(15_000), 40);
});

t.test("it is off after half a minute of quiet, though not while a cool-down lasts", async (t) => {
  const brake = busy(2, 10_000);
  brake.throttled(10_000, undefined);
  t.ok(brake.rate(40_000) < 1000);
  t.equal(brake.rate(40_001), Number.POSITIVE_INFINITY);
  brake.throttled(50_000, 60_000);
  t.ok(brake.rate(90_000) < 1000);
  t.equal(brake.rate(110_001), Number.POSITIVE_INFINITY);
});

t.test("how long sends take is reckoned with the rate's growth", async (t) => {
  const brake = busy(40, 10_000);
  brake.throttled(10_000, undefined);
  t.equal(brake.rate(10_000), 20);
  t.equal(brake.msFor(0, 10_000), 0);
  // At 20 a second that grows by 10 a second: 25 in the first one, 35 in the next.
  t.equal(Math.round(brake.msFor(25, 10_000)), 1000);
  t.equal(Math.round(brake.msFor(60, 10_000)), 2000);
});
