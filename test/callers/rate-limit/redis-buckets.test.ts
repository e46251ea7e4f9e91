import t, { type Test } from "tap";
import { RedisBuckets, type RedisPatience } from "../../../src/callers/rate-limit/redis-buckets.ts";
import { Rate } from "../../../src/config/rate.ts";
import { RateLimitStoreUrl } from "../../../src/config/rate-limit-store-url.ts";
import { eventually } from "../../config/eventually.ts";
import { skip, TestRedis } from "../../helpers/redis.ts";
import { closedPort, patient, startFakeServer } from "./servers.ts";

const rate = new Rate(3, 3_600_000);

/** Buckets at this place, and what was told of it. */
function open(t: Test, url: string | RateLimitStoreUrl, times: Partial<RedisPatience> = patient) {
  const told: string[] = [];
  const place = { url: typeof url === "string" ? new RateLimitStoreUrl(url) : url };
  const buckets = new RedisBuckets(place, (usable, reason) => told.push(`${usable} ${reason}`), times);
  t.teardown(() => buckets.close());
  return { buckets, told, usable: () => eventually("it is usable", () => buckets.usable) };
}

t.test("with a server", { skip }, async (t) => {
  t.test("a server that goes and comes back is told of once each", async (t) => {
    const redis = await TestRedis.start(t);
    const { buckets, told, usable } = open(t, redis.url);
    t.equal(buckets.usable, false, "before it has connected");
    t.equal(await buckets.draw("a", rate), undefined);
    await usable();
    t.match(await buckets.draw("a", rate), { allowed: true });
    await redis.stop();
    await eventually("it is told of", () => told.length === 2);
    t.equal(buckets.usable, false);
    for (let at = 0; at < 5; at += 1) t.equal(await buckets.draw("a", rate), undefined);
    await redis.start();
    await usable();
    t.match(await buckets.draw("a", rate), { allowed: true });
    t.equal(told.length, 3);
    t.match(told.join(), /^true connected,false (SocketClosedUnexpectedlyError|ECONNRESET),true connected$/);
  });

  t.test("one that hangs is left alone until it answers again", async (t) => {
    const redis = await TestRedis.start(t);
    const { buckets, told, usable } = open(t, redis.url, { openMs: 1_000, answerMs: 50, pauseMs: 20 });
    await usable();
    redis.freeze();
    t.equal(await buckets.draw("a", rate), undefined);
    await eventually("it is told of", () => !buckets.usable);
    const start = performance.now();
    for (let at = 0; at < 1_000; at += 1) t.equal(await buckets.draw("a", rate), undefined);
    t.ok(performance.now() - start < 5_000, "a thousand that all wait would take 50 s");
    redis.thaw();
    await usable();
    t.ok(told.includes("false no answer in time"));
    await buckets.close();
    t.equal(told.at(-1), "true connected", "a close is no trouble");
  });
});

t.test("what was never there is told of once, and stopped by a close", async (t) => {
  const { buckets, told } = open(t, `redis://127.0.0.1:${await closedPort()}`, { pauseMs: 2 });
  await eventually("it is told of", () => told.length > 0);
  // Long enough for some more attempts.
  await eventually("time goes by", () => new Promise((resolve) => setTimeout(resolve, 50, true)));
  t.same(told, ["false ECONNREFUSED"]);
  await buckets.close();
  t.equal(await buckets.draw("a", rate), undefined);
});

t.test("a close does not wait, whatever is under way", async (t) => {
  const server = await startFakeServer(t, undefined);
  const connecting = open(t, server.url);
  await eventually("it connects", () => server.sockets.size > 0);
  await connecting.buckets.close();
  t.same(connecting.told, []);
  const pausing = open(t, `redis://127.0.0.1:${await closedPort()}`, { pauseMs: 600_000 });
  await eventually("it pauses", () => pausing.told.length > 0);
  await pausing.buckets.close();
  const unborn = open(t, server.url);
  await unborn.buckets.close();
  await unborn.buckets.close();
  await eventually("no connection is left", () => server.sockets.size === 0);
});
