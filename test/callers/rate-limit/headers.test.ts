import t from "tap";
import { rateLimitHeaders } from "../../../src/callers/rate-limit/headers.ts";
import { unlimited, verdictOf } from "../../../src/callers/rate-limit/verdict.ts";
import { parseRate, Rate } from "../../../src/config/rate.ts";

t.test("what is left of a limit", async (t) => {
  t.same(rateLimitHeaders("read", verdictOf(parseRate("100/s"), true, 10)), {
    "ratelimit-policy": '"read";q=100;w=1',
    ratelimit: '"read";r=99;t=1',
  });
  t.same(rateLimitHeaders("write", verdictOf(parseRate("2/h"), true, 3_600_000)), {
    "ratelimit-policy": '"write";q=2;w=3600',
    ratelimit: '"write";r=0;t=1800',
  });
});

t.test(
  "a refusal says when to come back, which is not before the end of the window that it names",
  async (t) => {
    t.same(rateLimitHeaders("destructive", verdictOf(parseRate("1/m"), false, 60_000)), {
      "ratelimit-policy": '"destructive";q=1;w=60',
      ratelimit: '"destructive";r=0;t=60',
      "retry-after": "60",
    });
  },
);

t.test("a part of a limit is told in whole seconds", async (t) => {
  const part = new Rate(5, 1_000).share(3);
  t.same(rateLimitHeaders("destructive", verdictOf(part, false, part.windowMs)), {
    "ratelimit-policy": '"destructive";q=1;w=1',
    ratelimit: '"destructive";r=0;t=1',
    "retry-after": "1",
  });
});

t.test("no limit, no fields", async (t) => {
  t.same(rateLimitHeaders("read", unlimited(parseRate("unlimited"))), {});
});
