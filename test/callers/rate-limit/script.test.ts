import { createClient } from "@redis/client";
import fc from "fast-check";
import t from "tap";
import { bucketScript } from "../../../src/callers/rate-limit/script.ts";
import { verdictOf } from "../../../src/callers/rate-limit/verdict.ts";
import { Rate } from "../../../src/config/rate.ts";
import { skip, TestRedis } from "../../helpers/redis.ts";
import { excess, ReferenceBucket, rates, times } from "./reference.ts";

/** The same script with its time given, as seconds and microseconds; by that time no key vanishes. */
const scriptAt = bucketScript
  .replace("redis.call('TIME')", "{ARGV[3], ARGV[4]}")
  .replace("math.ceil(after - now) + 1", "3600000");

/** A later moment than the script counts from. */
const start = 1_800_000_000_000;

t.test("on a real server", { skip }, async (t) => {
  const redis = await TestRedis.start(t);
  const client = await createClient({ url: redis.url, commandOptions: { timeout: 0 } }).connect();
  t.teardown(() => client.destroy());
  let key = 0;

  const sendAt = async (name: string, { quota, windowMs }: Rate, now: number) => {
    const time = [
      String(Math.floor((start + now) / 1_000)),
      String(Math.round(((start + now) % 1_000) * 1_000)),
    ];
    const options = { keys: [name], arguments: [String(quota), String(windowMs), ...time] };
    return client.eval(scriptAt, options) as unknown as Promise<[number, string]>;
  };

  t.test("it is the bucket that one would describe, and verdicts are the same as locally", async () => {
    await fc.assert(
      fc.asyncProperty(
        rates.chain((rate) => fc.tuple(fc.constant(rate), times(rate))),
        async ([rate, all]) => {
          key += 1;
          const name = `property-${key}`;
          const replies = await Promise.all(all.map((now) => sendAt(name, rate, now)));
          const reference = new ReferenceBucket(rate);
          const allowedAt: number[] = [];
          const same = all.every((now, at) => {
            const [allowed = Number.NaN, untilFull = ""] = replies[at] ?? [];
            const expected = reference.take(now);
            if (expected) allowedAt.push(now);
            const verdict = verdictOf(rate, allowed === 1, Number(untilFull));
            return verdict.allowed === expected && verdict.remaining === reference.remaining;
          });
          return same && excess(allowedAt, rate) <= 0;
        },
      ),
      { numRuns: 60 },
    );
  });

  t.test(
    "by the server's own time, whole quotas pass, and the key is gone when the bucket is full",
    async (t) => {
      for (const rate of [new Rate(3, 3_600_000), new Rate(1_000, 3_600_000), new Rate(7, 3_600_000)]) {
        const name = `quota-${rate}`;
        const draw = () =>
          client.eval(bucketScript, {
            keys: [name],
            arguments: [String(rate.quota), String(rate.windowMs)],
          }) as unknown as Promise<[number, string]>;
        const replies = await Promise.all(Array.from({ length: rate.quota }, draw));
        t.ok(
          replies.every(([allowed]) => allowed === 1),
          `${rate}`,
        );
        const [allowed, untilFull] = await draw();
        t.equal(allowed, 0);
        const left = await client.pTTL(name);
        t.ok(left <= rate.windowMs + 1 && left > rate.windowMs - 60_000);
        t.ok(Math.abs(left - Number(untilFull)) < 60_000);
      }
    },
  );

  t.test("fractions of a ms neither cost tokens nor make some", async (t) => {
    const allowedOf = async (rate: Rate, takes: number) => {
      const name = `fractions-${rate}`;
      const replies = await Promise.all(Array.from({ length: takes }, () => sendAt(name, rate, 0.3)));
      return replies.filter(([allowed]) => allowed === 1).length;
    };
    for (let quota = 1; quota <= 60; quota += 1) {
      t.equal(await allowedOf(new Rate(quota, 1_000), quota + 3), quota);
    }
    const many = await allowedOf(new Rate(7_000, 1_000), 7_100);
    t.ok(Math.abs(many - 7_000) <= 1, `${many} of 7,000 in a second`);
  });

  t.test(
    "a bucket of before and a clock that was put back keep nobody out for longer than a window",
    async (t) => {
      const slow = new Rate(1, 3_600_000);
      const quick = new Rate(2, 1_000);
      t.match(await sendAt("clock", slow, 3_600_000), [1]);
      t.match(await sendAt("clock", quick, 0), [0, "1000"]);
      t.match(await sendAt("clock2", slow, 0), [1, "3600000"]);
      t.match(await sendAt("clock2", quick, 0), [0, "1000"]);
    },
  );

  t.test("what is no bucket counts as a full one, and becomes one", async (t) => {
    const rate = new Rate(1, 3_600_000);
    await client.lPush("list", "x");
    await client.set("word", "x");
    for (const name of ["list", "word"]) {
      t.match(await sendAt(name, rate, 0), [1], name);
      t.match(await sendAt(name, rate, 0), [0], name);
    }
  });
});
