import fc from "fast-check";
import t, { type Test } from "tap";
import { LocalLimiter } from "../../../src/callers/rate-limit/local-limiter.ts";
import { RedisBuckets, type RedisPatience } from "../../../src/callers/rate-limit/redis-buckets.ts";
import { SharedLimiter } from "../../../src/callers/rate-limit/shared-limiter.ts";
import { parseRate, Rate } from "../../../src/config/rate.ts";
import { RateLimitStoreUrl } from "../../../src/config/rate-limit-store-url.ts";
import { eventually } from "../../config/eventually.ts";
import { skip, TestRedis } from "../../helpers/redis.ts";
import { rates } from "./reference.ts";
import { closedPort, patient, startFakeServer } from "./servers.ts";

const hourly = (quota: number) => new Rate(quota, 3_600_000);

/** As many replicas at one store; `usable` waits until all of them use it. */
function replicas(t: Test, url: string, number: number, times: Partial<RedisPatience> = patient) {
  const all = Array.from({ length: number }, () => {
    const buckets = new RedisBuckets({ url: new RateLimitStoreUrl(url) }, () => {}, times);
    t.teardown(() => buckets.close());
    return { buckets, limiter: new SharedLimiter(buckets, number) };
  });
  return {
    limiters: all.map(({ limiter }) => limiter),
    usable: () => eventually("all are usable", () => all.every(({ buckets }) => buckets.usable)),
    unusable: () => eventually("none is usable", () => all.every(({ buckets }) => !buckets.usable)),
  };
}

/** How many of so many takes at each limiter are allowed. */
async function allowed(limiters: readonly SharedLimiter[], key: string, rate: Rate, takes: number) {
  const verdicts = await Promise.all(
    limiters.flatMap((limiter) => Array.from({ length: takes }, () => limiter.take(key, rate))),
  );
  return verdicts.filter((verdict) => verdict.allowed).length;
}

t.test("with a server", { skip }, async (t) => {
  t.test("all replicas together keep to one limit", async (t) => {
    const redis = await TestRedis.start(t);
    const { limiters, usable } = replicas(t, redis.url, 3);
    await usable();
    t.equal(await allowed(limiters, "a", hourly(100), 60), 100);
    t.equal(await allowed(limiters, "b", hourly(7), 3), 7, "each key by itself");
    const calls = async () =>
      /cmdstat_evalsha:calls=\d+/.exec(String(await redis.command("INFO", "commandstats")))?.[0];
    const before = await calls();
    t.match(before, /calls=/);
    t.equal(await allowed(limiters, "u", parseRate("unlimited"), 10), 30);
    t.equal(await calls(), before, "no limit, no question");
    const [limiter] = limiters;
    t.match(await limiter?.take("a", hourly(100)), {
      allowed: false,
      limit: hourly(100),
      remaining: 0,
      retryAfterSeconds: 36,
    });
    t.match(await limiter?.take("c", hourly(100)), { allowed: true, limit: hourly(100), remaining: 99 });
  });

  t.test("a server that was restarted shares again, without the scripts and buckets of before", async (t) => {
    const redis = await TestRedis.start(t);
    const { limiters, usable, unusable } = replicas(t, redis.url, 2);
    await usable();
    t.equal(await allowed(limiters, "a", hourly(10), 10), 10);
    await redis.stop();
    await unusable();
    t.equal(await allowed(limiters, "b", hourly(10), 10), 10, "5 each");
    await redis.start();
    await usable();
    t.equal(await allowed(limiters, "c", hourly(10), 10), 10);
    t.equal(await allowed(limiters, "c", hourly(10), 10), 0);
  });

  t.test("while it hangs each replica keeps to its part, and what was used before counts", async (t) => {
    const redis = await TestRedis.start(t);
    const { limiters, usable, unusable } = replicas(t, redis.url, 2, {
      openMs: 2_000,
      answerMs: 50,
      pauseMs: 20,
    });
    await usable();
    const [first, second] = limiters as [SharedLimiter, SharedLimiter];
    const usedAtFirst = await allowed([first], "a", hourly(40), 15);
    t.equal(usedAtFirst, 15);
    redis.freeze();
    const start = performance.now();
    t.equal(await allowed([first], "a", hourly(40), 100), 5, "20 less the 15 of before");
    t.equal(await allowed([second], "a", hourly(40), 100), 20);
    await unusable();
    t.match(await first.take("b", hourly(40)), { allowed: true, limit: hourly(20), remaining: 19 });
    t.equal(await allowed(limiters, "a", hourly(40), 500), 0);
    t.ok(performance.now() - start < 10_000);
    redis.thaw();
    await eventually("it is shared again", async () => {
      await usable();
      return (await first.take("c", hourly(40))).limit.quota === 40;
    });
  });

  t.test("a store that comes and goes all the time does not raise the limit", async (t) => {
    const redis = await TestRedis.start(t);
    const { limiters, usable, unusable } = replicas(t, redis.url, 2, { ...patient, pauseMs: 1_000 });
    let passed = 0;
    for (let at = 0; at < 3; at += 1) {
      await usable();
      passed += await allowed(limiters, "a", hourly(20), 5);
      await redis.command("CLIENT", "KILL", "TYPE", "normal");
      await unusable();
      passed += await allowed(limiters, "a", hourly(20), 5);
    }
    await usable();
    passed += await allowed(limiters, "a", hourly(20), 20);
    t.equal(passed, 30, "the shared 20, and what was left of both parts of 10 when it went away first");
  });

  t.test("the shared bucket and the local one give the same verdicts", async () => {
    const redis = await TestRedis.start(t);
    const { limiters, usable } = replicas(t, redis.url, 1);
    await usable();
    let key = 0;
    await fc.assert(
      fc.asyncProperty(
        rates.filter((rate) => rate.windowMs === 3_600_000),
        fc.integer({ min: 1, max: 80 }),
        async (rate, takes) => {
          key += 1;
          const local = new LocalLimiter();
          const expected = Array.from({ length: takes }, () => local.take("a", rate));
          const verdicts = await Promise.all(
            Array.from({ length: takes }, () => limiters[0]?.take(`key-${key}`, rate)),
          );
          return verdicts.every(
            (verdict, at) =>
              verdict?.allowed === expected[at]?.allowed && verdict?.remaining === expected[at]?.remaining,
          );
        },
      ),
      { numRuns: 50 },
    );
  });
});

t.test("a store that was never there", async (t) => {
  const black = await startFakeServer(t, undefined);
  for (const url of [`redis://127.0.0.1:${await closedPort()}`, `redis://127.0.0.1:${black.url.port}`]) {
    const { limiters } = replicas(t, url, 4, {});
    const start = performance.now();
    t.equal(await allowed(limiters, "a", hourly(100), 100), 100, "25 each");
    t.equal(await allowed(limiters, "b", hourly(2), 100), 4, "never none at all");
    t.match(await limiters[0]?.take("b", hourly(2)), {
      allowed: false,
      limit: new Rate(1, 2 * 3_600_000),
      retryAfterSeconds: 7_200,
    });
    t.ok(performance.now() - start < 5_000);
  }
});

t.test("without a limit the store is not asked", async (t) => {
  const { limiters } = replicas(t, `redis://127.0.0.1:${await closedPort()}`, 2);
  t.equal(await allowed(limiters, "a", parseRate("unlimited"), 500), 1_000);
});
