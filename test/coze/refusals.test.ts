import t from "tap";
import { Brake } from "../../src/coze/brake.ts";
import { Pacer } from "../../src/coze/pacer.ts";
import { gone, queueFull, throttled, tooFast, tooLate, waitedInVain } from "../../src/coze/refusals.ts";

const timeout = { stopped: "no_time_left", error: "coze_timeout" };
const overloaded = { stopped: "no_time_left", error: "overloaded" };
const braked = { stopped: "no_time_left", error: "coze_throttled" };

/** A pacer that Coze throttled just now, and one that keeps to a rate and has nothing left for now. */
function pacers() {
  const free = new Pacer(new Brake());
  const throttling = new Pacer(new Brake());
  throttling.throttled(0, 3000);
  const limited = new Pacer(new Brake(), 10);
  while (limited.waitMs(0) === 0) limited.sent(0);
  return { free, throttling, limited };
}

t.test("Coze's throttling is told as such, all else as too many calls, with the time it takes", async (t) => {
  const { free, throttling, limited } = pacers();
  t.same(throttled(throttling, 1, 0), { ...braked, retryAfterMs: 3000 });
  t.same(tooFast(throttling, 1, 0), { ...braked, retryAfterMs: 3000 });
  t.same(tooFast(limited, 21, 0), { ...overloaded, retryAfterMs: 2100 });
  t.same(queueFull(limited, 21, 0, true), { ...overloaded, retryAfterMs: 2100 }, "a connection is there");
  t.same(queueFull(limited, 21, 0, false), {
    stopped: "no_connection",
    error: "overloaded",
    retryAfterMs: 2100,
  });
  t.same(queueFull(free, 21, 0, false), { stopped: "no_connection", error: "overloaded", retryAfterMs: 0 });
});

t.test("who waited in vain is told what was missing to the end", async (t) => {
  const { free, throttling, limited } = pacers();
  t.same(waitedInVain(free, 1, 0, false), timeout, "a slot");
  t.same(waitedInVain(free, 1, 0, true), timeout, "just time");
  t.match(waitedInVain(throttling, 1, 0, false), braked, "Coze's leave, and a slot");
  t.match(waitedInVain(limited, 1, 0, false), overloaded, "a turn, and a slot");
  t.match(waitedInVain(limited, 1, 0, true), overloaded, "a turn");
  t.same(waitedInVain(limited, 1, 5_000, false), timeout, "a slot, though there was a turn");
  t.match(waitedInVain(limited, 1, 5_000, true), overloaded, "a turn, which comes just now");
});

t.test("the others say the same always", async (t) => {
  t.same(tooLate, timeout);
  t.same(gone, { stopped: "caller_gone", error: "coze_unavailable" });
});
