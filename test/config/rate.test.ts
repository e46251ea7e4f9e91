import t from "tap";
import { parseRate, Rate } from "../../src/config/rate.ts";

t.test("what is written is what is shown", async (t) => {
  for (const [text, quota, windowMs] of [
    ["100/s", 100, 1_000],
    ["600/m", 600, 60_000],
    ["1/h", 1, 3_600_000],
    ["9999999/s", 9_999_999, 1_000],
    ["unlimited", Number.POSITIVE_INFINITY, 1_000],
  ] as const) {
    const rate = parseRate(text);
    t.same({ ...rate }, { quota, windowMs }, text);
    t.equal(String(rate), text);
    t.equal(rate.isUnlimited, text === "unlimited");
  }
  t.equal(String(new Rate(1, 1_500)), "1/1500ms");
});

t.test("whatever else is written is a mistake", async (t) => {
  const wrong = ["", "100", "100/", "/s", "0/s", "01/s", "-1/s", "1.5/s", "1e3/s", "10000000/s"];
  for (const text of [
    ...wrong,
    "100/d",
    "100/S",
    "100 /s",
    "100/s ",
    "100/ms",
    "none",
    "Unlimited",
    "infinity",
  ]) {
    t.throws(
      () => parseRate(text),
      { message: "must be a rate such as 100/s, 600/m or 1000/h, or unlimited" },
      text,
    );
  }
});

t.test("a part of a rate is that part of it exactly, and never nothing", async (t) => {
  for (const [quota, windowMs] of [
    [100, 1_000],
    [5, 1_000],
    [1, 1_000],
    [7, 3_600_000],
  ] as const) {
    for (const parts of [1, 2, 3, 10, 1_000]) {
      const part = new Rate(quota, windowMs).share(parts);
      t.ok(Number.isInteger(part.quota) && part.quota >= 1, `${quota} of ${parts}`);
      t.ok(part.quota === 1 || part.quota * parts <= quota, "all bursts together are no more than the whole");
      const all = (parts * part.quota) / part.windowMs;
      t.ok(Math.abs(all - quota / windowMs) < 1e-9, "all parts together are as fast as the whole");
    }
  }
  t.same({ ...new Rate(100, 1_000).share(4) }, { quota: 25, windowMs: 1_000 });
  t.same({ ...new Rate(1, 1_000).share(3) }, { quota: 1, windowMs: 3_000 });
  t.ok(parseRate("unlimited").share(3).isUnlimited);
});
