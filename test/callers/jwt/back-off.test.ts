import t from "tap";
import { BackOff } from "../../../src/callers/jwt/back-off.ts";

t.test("the pause doubles up to its bound, with jitter, and ends with a success", async (t) => {
  const backOff = new BackOff(100, 1000);
  t.equal(backOff.waitMs(0), 0);
  let now = 0;
  const pauses = Array.from({ length: 8 }, () => {
    backOff.failed(now, now);
    const pause = backOff.waitMs(now);
    now += pause;
    t.equal(backOff.waitMs(now), 0);
    return pause;
  });
  for (const [at, most] of [100, 200, 400, 800, 1000, 1000, 1000, 1000].entries()) {
    const pause = pauses[at] ?? 0;
    t.ok(pause >= most / 2 && pause <= most, `${pause} is about ${most}`);
  }
  t.ok(new Set(pauses.slice(4)).size > 1, "replicas come back at different times");
  backOff.failed(now, now);
  backOff.worked();
  t.equal(backOff.waitMs(now), 0);
  backOff.failed(now, now);
  t.ok(backOff.waitMs(now) <= 100, "and begins anew");
});

t.test("of attempts that were under way together one counts", async (t) => {
  const backOff = new BackOff(100, 100_000);
  for (let at = 0; at < 50; at++) backOff.failed(at, 50 + at);
  t.ok(backOff.waitMs(50) <= 100);
});

t.test("an attempt that a timer made a little early counts", async (t) => {
  const backOff = new BackOff(100, 100_000);
  backOff.failed(0, 10);
  const end = 10 + backOff.waitMs(10);
  backOff.failed(end - 1, end - 0.5);
  t.ok(backOff.waitMs(end) > 90);
});
