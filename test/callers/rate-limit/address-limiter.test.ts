import t from "tap";
import { AddressLimiter } from "../../../src/callers/rate-limit/address-limiter.ts";
import { parseRate, Rate } from "../../../src/config/rate.ts";

t.test("an address is refused after too many failures, until time has passed", async (t) => {
  let now = 0;
  const limiter = new AddressLimiter(new Rate(3, 60_000), () => now);
  for (let at = 0; at < 3; at += 1) {
    t.equal(limiter.refusedForSeconds("192.0.2.1"), undefined);
    limiter.failed("192.0.2.1");
  }
  t.equal(limiter.refusedForSeconds("192.0.2.1"), 20);
  t.equal(limiter.refusedForSeconds("::ffff:192.0.2.1"), 20, "the same address in other letters");
  t.equal(limiter.refusedForSeconds("192.0.2.2"), undefined, "its neighbour has nothing to do with it");
  now = 19_000;
  t.equal(limiter.refusedForSeconds("192.0.2.1"), 1);
  now = 20_000;
  t.equal(limiter.refusedForSeconds("192.0.2.1"), undefined);
});

t.test("without failures nothing is ever refused or kept", async (t) => {
  const limiter = new AddressLimiter(new Rate(1, 3_600_000));
  for (let at = 0; at < 1_000; at += 1) t.equal(limiter.refusedForSeconds("192.0.2.1"), undefined);
  t.equal(limiter.size, 0);
});

t.test("failures of calls that were under way at once are paid off, for a minute at most", async (t) => {
  let now = 0;
  const limiter = new AddressLimiter(new Rate(20, 1_000), () => now);
  for (let at = 0; at < 120; at += 1) limiter.failed("2001:db8::1");
  t.equal(limiter.refusedForSeconds("2001:db8::2"), 6, "the 100 too many, and one more");
  now = 5_000;
  t.equal(limiter.refusedForSeconds("2001:db8::2"), 1);
  now = 5_050;
  t.equal(limiter.refusedForSeconds("2001:db8::2"), undefined, "when it said so");
  for (let at = 0; at < 100_000; at += 1) limiter.failed("2001:db8::1");
  t.equal(limiter.refusedForSeconds("2001:db8::2"), 60);
});

t.test("a limit by the hour is not paid off for longer than the hour", async (t) => {
  const limiter = new AddressLimiter(new Rate(2, 3_600_000), () => 0);
  for (let at = 0; at < 100; at += 1) limiter.failed("192.0.2.1");
  t.equal(limiter.refusedForSeconds("192.0.2.1"), 1_800);
});

t.test("without a limit everybody is heard", async (t) => {
  const limiter = new AddressLimiter(parseRate("unlimited"));
  for (let at = 0; at < 1_000; at += 1) limiter.failed("192.0.2.1");
  t.equal(limiter.refusedForSeconds("192.0.2.1"), undefined);
  t.equal(limiter.size, 0);
});

t.test(
  "a flood from a million addresses takes little memory, and who fails all the time stays refused",
  async (t) => {
    const limiter = new AddressLimiter(new Rate(20, 3_600_000));
    for (let at = 0; at < 20; at += 1) limiter.failed("192.0.2.1");
    const before = process.memoryUsage().heapUsed;
    let most = 0;
    for (let at = 0; at < 1_000_000; at += 1) {
      const address =
        at % 2
          ? `10.${at >> 16}.${(at >> 8) & 255}.${at & 255}`
          : `2001:db8:${(at >> 8).toString(16)}:${at & 255}::1`;
      if (limiter.refusedForSeconds(address) === undefined) limiter.failed(address);
      if (at % 10_000 === 0) {
        if (limiter.refusedForSeconds("192.0.2.1") === undefined) t.fail("the first one is refused");
        limiter.failed("192.0.2.1");
      }
      most = Math.max(most, limiter.size);
    }
    t.ok(most <= 50_000, `${most} networks`);
    const megabytes = (process.memoryUsage().heapUsed - before) / 1e6;
    t.ok(megabytes < 250, `${megabytes} MB, what is not collected yet included`);
  },
);

t.test("after a flood it takes no memory", async (t) => {
  let now = 0;
  const limiter = new AddressLimiter(new Rate(20, 1_000), () => now);
  for (let at = 0; at < 10_000; at += 1) limiter.failed(`192.0.2.${at}`);
  t.equal(limiter.size, 10_000);
  now = 2_000;
  for (let at = 0; at < 10_000; at += 1) limiter.failed("192.0.2.1");
  t.equal(limiter.size, 1);
});
