import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import t from "tap";
import { Buckets } from "../../../src/callers/rate-limit/buckets.ts";
import { Rate } from "../../../src/config/rate.ts";

const rate = new Rate(2, 1_000);

t.test("each key has a bucket of its own", async (t) => {
  const buckets = new Buckets();
  const allowed = (key: string) => buckets.draw(key, rate, 0).allowed;
  t.same(["a", "a", "a", "b", "b", "b"].map(allowed), [true, true, false, true, true, false]);
  t.equal(buckets.size, 2);
});

t.test("a look takes nothing and keeps nothing", async (t) => {
  const buckets = new Buckets();
  for (let at = 0; at < 5; at += 1) t.equal(buckets.waitMs("a", rate, 0), 0);
  t.equal(buckets.size, 0);
  buckets.charge("a", rate, 0);
  buckets.charge("a", rate, 0);
  t.ok(buckets.waitMs("a", rate, 0) > 0);
  t.equal(buckets.waitMs("a", rate, 500), 0);
});

t.test("a full bucket is forgotten soon, one in use never", async (t) => {
  const buckets = new Buckets();
  const slow = new Rate(1, 1e9);
  for (let at = 0; at < 1_000; at += 1) buckets.draw(`slow-${at}`, slow, 0);
  for (let at = 0; at < 1_000; at += 1) buckets.draw(`quick-${at}`, rate, 0);
  t.equal(buckets.size, 2_000);
  for (let at = 0; at < 3_000; at += 1) buckets.draw("busy", rate, 10_000 + at);
  t.equal(buckets.size, 1_001);
  for (let at = 0; at < 1_000; at += 1) t.ok(buckets.waitMs(`slow-${at}`, slow, 15_000) > 0);
});

t.test("beyond its bound it forgets the one that was not used for longest", async (t) => {
  const buckets = new Buckets(3);
  const slow = new Rate(1, 1e9);
  const known = (key: string) => buckets.waitMs(key, slow, 0) > 0;
  for (const key of ["a", "b", "c"]) buckets.charge(key, slow, 0);
  buckets.charge("a", slow, 0);
  buckets.charge("d", slow, 0);
  t.same(["a", "b", "c", "d"].map(known), [true, false, true, true]);
  buckets.charge("e", slow, 0);
  buckets.charge("f", slow, 0);
  t.same(["a", "c", "d", "e", "f"].map(known), [false, false, true, true, true]);
  buckets.charge("f", slow, 0);
  t.equal(buckets.size, 3);
  for (let at = 0; at < 100; at += 1) {
    buckets.charge(`more-${at}`, slow, 0);
    t.ok(buckets.size <= 3 && known(`more-${at}`));
    t.equal(known(`more-${at - 3}`), false);
    t.equal(known(`more-${at - 2}`), at >= 2);
  }
});

t.test("what is used for long takes no more memory than what is used for a moment", async (t) => {
  setFlagsFromString("--expose-gc");
  const collect: () => void = runInNewContext("gc");
  const buckets = new Buckets();
  const use = () => {
    for (let at = 0; at < 500_000; at += 1) buckets.draw(`key-${at % 300}`, new Rate(1, 1e9), 0);
    collect();
    return process.memoryUsage().heapUsed;
  };
  const before = use();
  const megabytes = (use() - before) / 1e6;
  t.ok(megabytes < 5, `${megabytes} MB`);
  t.equal(buckets.size, 300);
});
