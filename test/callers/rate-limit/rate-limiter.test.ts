import t from "tap";
import { createRateLimiter } from "../../../src/callers/rate-limit/rate-limiter.ts";
import { Rate } from "../../../src/config/rate.ts";
import { RateLimitStoreUrl } from "../../../src/config/rate-limit-store-url.ts";
import { eventually } from "../../config/eventually.ts";
import { skip, TestRedis } from "../../helpers/redis.ts";

const limit = new Rate(4, 3_600_000);

t.test("in memory each caller and each class has a limit of its own", async (t) => {
  const limiter = createRateLimiter({
    store: "memory",
    replicas: 1,
    onStoreChange: () => t.fail("no store"),
  });
  t.equal(limiter.storeUsable, true);
  for (const caller of ["billing", "search"]) {
    for (const rateClass of ["read", "write", "destructive"] as const) {
      for (const remaining of [3, 2, 1, 0]) {
        t.match(await limiter.take(caller, rateClass, limit), { allowed: true, limit, remaining });
      }
      t.match(await limiter.take(caller, rateClass, limit), { allowed: false });
    }
  }
  await limiter.close();
});

t.test("in memory each of several replicas keeps to its part", async (t) => {
  const limiter = createRateLimiter({ store: "memory", replicas: 4, onStoreChange: () => undefined });
  t.match(await limiter.take("billing", "read", limit), { allowed: true, limit: limit.share(4) });
  t.match(await limiter.take("billing", "read", limit), { allowed: false });
});

t.test("the limits of a shared store", { skip }, async (t) => {
  const redis = await TestRedis.start(t, { password: "CANARYpassword" });
  const told: string[] = [];
  const limiter = createRateLimiter({
    store: new RateLimitStoreUrl(`redis://:CANARYpassword@127.0.0.1:${redis.port}`),
    replicas: 2,
    onStoreChange: (usable, reason) => told.push(`${usable} ${reason}`),
  });
  t.teardown(() => limiter.close());
  t.equal(limiter.storeUsable, false);
  t.match(await limiter.take("early", "read", limit), { allowed: true, limit: limit.share(2), remaining: 1 });
  // The machine may be too busy for an answer within its time.
  await eventually("a shared verdict", async () => {
    const verdict = await limiter.take("search", "read", limit);
    return verdict.limit.quota === 4;
  });
  t.ok(limiter.storeUsable);
  t.ok(told.includes("true connected"));
  t.equal(await redis.command("EXISTS", "cgw:rate:read:search"), 1);
  await limiter.close();
  t.equal(limiter.storeUsable, false);
  t.match(await limiter.take("late", "read", limit), { allowed: true, limit: limit.share(2) });
});
