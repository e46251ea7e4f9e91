import { getEventListeners } from "node:events";
import fc from "fast-check";
import t from "tap";
import { Admission, type Applicant } from "../../src/coze/admission.ts";
import { Brake } from "../../src/coze/brake.ts";
import type { Halt } from "../../src/coze/call-result.ts";
import { Pacer } from "../../src/coze/pacer.ts";
import { SimulatedClock } from "./simulated-clock.ts";

interface DoorOptions {
  readonly slots?: number;
  readonly mostWaiting?: number;
  readonly mostRate?: number;
}

/** A door, and somebody before it who has an hour. */
function door({ slots = 1, mostWaiting = 10, mostRate }: DoorOptions = {}) {
  const clock = new SimulatedClock();
  const pacer = new Pacer(new Brake(), mostRate);
  const admission = new Admission({ slots, mostWaiting, pacer, clock });
  const enter = (given: Partial<Applicant> = {}) =>
    admission.enter({
      caller: "a",
      weight: 1,
      deadlineAt: clock.now() + 3_600_000,
      leastMs: 100,
      signal: undefined,
      ...given,
    });
  /** What came of it and when; undefined as long as nothing did. */
  const watch = (given: Partial<Applicant> = {}) => {
    const watched: { halt?: Halt | undefined; at?: number } = {};
    void enter(given).then((halt) => Object.assign(watched, { halt, at: clock.now() }));
    return watched;
  };
  const soon = (ms: number) => ({ deadlineAt: clock.now() + ms });
  return { clock, pacer, admission, enter, watch, soon };
}

const late = { stopped: "no_time_left", error: "coze_timeout" };
const throttled = { stopped: "no_time_left", error: "coze_throttled" };
const overloaded = { stopped: "no_time_left", error: "overloaded" };
const full = { stopped: "no_connection", error: "overloaded" };
const gone = { stopped: "caller_gone", error: "coze_unavailable" };

t.test("with the clock of the process: through at once, or when somebody has left", async (t) => {
  const admission = new Admission({ slots: 1, mostWaiting: 1, pacer: new Pacer(new Brake()) });
  const applicant = { caller: "a", weight: 1, leastMs: 1, signal: undefined };
  const deadlineAt = performance.now() + 60_000;
  t.equal(await admission.enter({ ...applicant, deadlineAt }), undefined);
  const order: string[] = [];
  const second = admission.enter({ ...applicant, deadlineAt }).then(() => order.push("through"));
  await new Promise((resolve) => setTimeout(resolve, 20));
  order.push("left");
  admission.leave();
  await second;
  t.same(order, ["left", "through"]);
  t.same(await admission.enter({ ...applicant, deadlineAt: performance.now() + 30 }), late);
});

t.test("who comes to an open door goes through at once, and nothing is left to do later", async (t) => {
  const { admission, enter, clock } = door({ slots: 3, mostWaiting: 0 });
  t.same([await enter(), await enter(), await enter()], [undefined, undefined, undefined]);
  t.equal(clock.pending, 0);
  t.match(await enter(), full);
  admission.leave();
  t.equal(await enter(), undefined);
  t.equal(clock.pending, 0);
});

t.test("who comes just when a slot is free again does not overtake those who wait", async (t) => {
  const { admission, enter, watch, clock } = door();
  await enter();
  const first = watch();
  admission.leave();
  const second = watch({ caller: "b" });
  await clock.advance(0);
  t.same([first, second], [{ halt: undefined, at: 0 }, {}]);
});

t.test("without the time that an attempt needs nobody goes through", async (t) => {
  const { enter, watch, soon, clock } = door();
  t.same(await enter(soon(40)), late, "at the door");
  t.equal(await enter(), undefined);
  const waiting = watch(soon(150));
  await clock.advance(49);
  t.same(waiting, {});
  await clock.advance(1);
  t.same(waiting, { halt: late, at: 50 }, "in the queue");
  t.equal(clock.pending, 0);
});

t.test("a slot that comes when the time is over goes to the next one", async (t) => {
  const { admission, enter, watch, soon, clock } = door();
  await enter();
  const first = watch(soon(150));
  const second = watch();
  admission.leave();
  clock.stall(200);
  await clock.advance(0);
  t.match([first, second], [{ halt: late }, { halt: undefined, at: 200 }]);
});

t.test("one who is let in so late that its own time came first does not pay for the turn", async (t) => {
  const { admission, enter, watch, soon, clock } = door({ mostRate: 10 });
  await enter();
  const hurried = watch({ caller: "b", ...soon(5_200) });
  const patient = watch({ caller: "b" });
  const other = watch({ caller: "c" });
  await clock.advance(5_000);
  admission.leave();
  clock.stall(160);
  await clock.advance(0);
  t.match([hurried.halt, patient], [overloaded, { halt: undefined, at: 5_160 }]);
  t.same(other, {});
});

t.test(
  "when connections are missing Coze is slow; when it throttles, or calls go too fast, that is said",
  async (t) => {
    const stuck = door();
    await stuck.enter();
    const forConnection = stuck.watch(stuck.soon(1_000));
    const braked = door({ slots: 5 });
    await braked.enter();
    braked.admission.throttled(undefined);
    await braked.enter();
    const forBrake = braked.watch(braked.soon(900));
    const limited = door({ slots: 5, mostRate: 1 });
    await limited.enter();
    const forTurn = limited.watch({ ...limited.soon(1_050), caller: "b" });
    limited.watch({ caller: "b" });
    const early = await limited.enter({ ...limited.soon(1_050), caller: "b" });
    for (const { clock } of [stuck, braked, limited]) await clock.advance(2_000);
    t.same(forConnection.halt, late);
    t.match(forBrake.halt, throttled);
    t.equal(forTurn.halt, undefined, "its turn came in time");
    t.match(
      early,
      { ...overloaded, retryAfterMs: 2_900 },
      "the third turn from now is too late, which can be told at once",
    );
  },
);

t.test("a full queue and a caller who goes", async (t) => {
  const { enter, watch, admission, clock } = door({ mostWaiting: 1 });
  await enter();
  const caller = new AbortController();
  const waiting = watch({ signal: caller.signal });
  t.match(await enter(), full);
  t.equal(admission.waiting, 1);
  t.equal(getEventListeners(caller.signal, "abort").length, 1);
  caller.abort();
  await clock.advance(0);
  t.match(waiting, { halt: gone });
  t.equal(getEventListeners(caller.signal, "abort").length, 0);
  t.same([admission.waiting, clock.pending], [0, 0]);
  t.match(await enter({ signal: caller.signal }), gone, "who is gone already does not wait");
  admission.leave();
  t.match(await enter({ signal: caller.signal }), gone, "nor takes a slot");
  t.equal(await enter(), undefined);
});

t.test("in a full queue the caller with the most makes room", async (t) => {
  const { enter, watch, admission, clock } = door({ mostWaiting: 4, mostRate: 2 });
  await enter();
  const noisy = Array.from({ length: 4 }, () => watch({ caller: "noisy" }));
  t.match(await enter({ caller: "noisy" }), full);
  const quiet = watch({ caller: "quiet" });
  await clock.advance(0);
  t.match(noisy[3], { halt: { ...full, retryAfterMs: 2_400 } });
  t.same(quiet, {});
  admission.leave();
  await clock.advance(400);
  admission.leave();
  await clock.advance(500);
  t.match([noisy[0]?.at, quiet.at], [400, 900], "and it goes in its turn, behind one of the other's");
});

t.test("a cool-down holds all up, those too who wait already", async (t) => {
  const { admission, enter, watch, clock } = door();
  await enter();
  const waiting = watch();
  // Coze throttles the one who leaves: what it says holds for the next one, in whichever order the two are told.
  admission.leave();
  admission.throttled(300);
  await clock.advance(299);
  t.same(waiting, {});
  await clock.advance(1);
  t.match(waiting, { halt: undefined, at: 300 });
});

t.test("a cool-down that begins while a turn is waited for puts the turn off", async (t) => {
  const { admission, enter, watch, clock } = door({ slots: 2 });
  admission.throttled(undefined);
  t.equal(await enter(), undefined);
  // At one send a second the next turn comes in a second, within the cool-down.
  const waiting = watch();
  await clock.advance(500);
  admission.throttled(1_500);
  await clock.advance(5_000);
  t.match(waiting, { halt: undefined, at: 2_000 });
});

t.test("a cool-down longer than the time left is told at once, at the door and in the queue", async (t) => {
  const { admission, enter, watch, soon, clock } = door();
  await enter();
  const hurried = watch(soon(10_000));
  const patient = watch(soon(60_000));
  admission.throttled(30_000);
  await clock.advance(0);
  t.match(hurried, { halt: { ...throttled, retryAfterMs: 30_000 }, at: 0 });
  t.same(patient, {});
  t.match(await enter(soon(10_000)), throttled);
  admission.leave();
  await clock.advance(30_000);
  t.match(patient, { halt: undefined, at: 30_000 });
});

t.test("callers who go while the brake holds them take nobody's turn", async (t) => {
  const { admission, enter, watch, clock } = door({ mostWaiting: 100 });
  admission.throttled(undefined);
  await enter();
  admission.leave();
  const caller = new AbortController();
  for (let at = 0; at < 30; at += 1) watch({ signal: caller.signal });
  await clock.advance(20);
  caller.abort();
  await clock.advance(0);
  t.same([admission.waiting, clock.pending], [0, 0]);
  const next = watch();
  await clock.advance(1_000);
  t.match(next, { halt: undefined, at: 1_000 }, "one turn later, not thirty");
});

for (const hint of [undefined, 300]) {
  t.test(`those who queued before the brake keep to its rate, hint ${hint}`, async (t) => {
    const { admission, enter, clock, pacer, soon } = door({ slots: 10, mostWaiting: 100 });
    for (let at = 0; at < 10; at += 1) await enter();
    const through: number[] = [];
    const waiting = Array.from({ length: 30 }, async () => {
      const halt = await enter(soon(2_000));
      if (halt) return halt.error;
      through.push(clock.now());
      admission.leave();
      return "through";
    });
    admission.throttled(hint);
    const rate = pacer.rate(0);
    for (let at = 0; at < 10; at += 1) admission.leave();
    await clock.advance(2_000);
    // The rate grows by 10 a second; nobody is let through beyond it, the rest is told that Coze throttles.
    const most = 1 + (rate + 10) * 2;
    t.ok(through.length > 5 && through.length <= most, `${through.length} through at ${rate}/s`);
    t.same(new Set(await Promise.all(waiting)), new Set(["through", "coze_throttled"]));
  });
}

t.test("a caller with more than fits into its time is told at once, others are let in", async (t) => {
  const { enter, watch, clock, soon, admission } = door({ slots: 100, mostWaiting: 1000, mostRate: 10 });
  while (admission.waiting === 0) watch({ caller: "noisy", ...soon(2_100) });
  const replies = Array.from({ length: 99 }, () => watch({ caller: "noisy", ...soon(2_100) }));
  await clock.advance(0);
  t.ok(admission.waiting <= 20, `${admission.waiting} wait: as many as 2 seconds are good for`);
  t.match(replies[98], { halt: overloaded, at: 0 });
  const quiet = watch({ caller: "quiet", ...soon(500) });
  t.match(await enter({ caller: "noisy", ...soon(2_100) }), overloaded);
  await clock.advance(200);
  t.match(quiet, { halt: undefined }, "no more than two turns later");
});

const callers = ["a", "b", "c"] as const;
const step = fc.record({
  after: fc.oneof(fc.constant(0), fc.nat({ max: 20 }), fc.nat({ max: 1_000 })),
  what: fc.constantFrom("enter", "enter", "enter", "leave", "leave", "abort", "throttle", "stall"),
  caller: fc.constantFrom(...callers),
  ms: fc.nat({ max: 3_000 }),
  which: fc.nat(),
});

t.test(
  "whatever happens: the bounds hold, nothing is idle while somebody waits, and each ends once",
  async () => {
    const options = fc.record({
      slots: fc.integer({ min: 1, max: 4 }),
      mostWaiting: fc.nat({ max: 6 }),
      mostRate: fc.constantFrom(2, 20, 200, Number.POSITIVE_INFINITY),
    });
    await fc.assert(
      fc.asyncProperty(options, fc.array(step, { maxLength: 60 }), async (given, steps) => {
        const { admission, enter, clock, pacer } = door(given);
        const times: number[] = [];
        const waiting = new Map<AbortController, number>();
        let underWay = 0;
        let entered = 0;
        let ended = 0;
        const check = (holds: boolean, what: string) => {
          if (!holds) throw new Error(`${what} at ${clock.now()}`);
        };
        const settled = () => {
          check(underWay <= given.slots, "more under way than slots");
          check(admission.waiting <= given.mostWaiting, "more waiting than places");
          check(admission.waiting === waiting.size, "somebody is waiting and not in the queue");
          const idle = underWay < given.slots && pacer.waitMs(clock.now()) === 0 && admission.waiting > 0;
          check(!idle, "a slot and a turn are there and somebody waits");
          const now = clock.now();
          for (const deadlineAt of waiting.values()) check(now <= deadlineAt, "somebody waits too long");
        };
        for (const { after, what, caller, ms, which } of steps) {
          await clock.advance(after);
          settled();
          if (what === "enter") {
            const signal = new AbortController();
            const deadlineAt = clock.now() + ms;
            entered += 1;
            waiting.set(signal, deadlineAt);
            const applicant = {
              caller,
              weight: 1 + (which % 3),
              deadlineAt,
              leastMs: 50,
              signal: signal.signal,
            };
            void enter(applicant).then((halt) => {
              ended += 1;
              check(waiting.delete(signal), "ended twice");
              check(getEventListeners(signal.signal, "abort").length === 0, "a listener is left");
              if (halt) return;
              underWay += 1;
              times.push(clock.now());
              check(clock.now() <= deadlineAt - 25, "let in too late");
            });
          } else if (what === "leave" && underWay > 0) {
            underWay -= 1;
            admission.leave();
          } else if (what === "abort") {
            [...waiting.keys()][which % Math.max(1, waiting.size)]?.abort();
          } else if (what === "throttle") {
            admission.throttled(which % 2 ? ms : undefined);
          } else if (what === "stall") {
            clock.stall(Math.min(ms, 200));
          }
          await clock.advance(0);
          settled();
        }
        await clock.advance(5_000);
        check(ended === entered && admission.waiting === 0, "somebody was forgotten");
        check(clock.pending === 0, "a timer is left");
        for (const start of times) {
          const inASecond = times.filter((at) => at >= start && at < start + 1000).length;
          check(inASecond <= given.mostRate * 1.1 + 1, "more in a second than the limit and its burst");
        }
      }),
      { numRuns: 150 },
    );
  },
);

t.test(
  "where connections are what is missing, a caller with many waiting does not hold up one with few",
  async (t) => {
    const { admission, watch, clock } = door({ slots: 2, mostWaiting: 100 });
    const noisy = Array.from({ length: 50 }, () => watch({ caller: "noisy" }));
    admission.leave();
    await clock.advance(0);
    const quiet = watch({ caller: "quiet" });
    await clock.advance(100);
    t.same(quiet, {});
    admission.leave();
    await clock.advance(0);
    t.match(quiet, { halt: undefined, at: 100 }, "it gets the first slot that is free");
    t.equal(noisy.filter(({ at }) => at !== undefined).length, 3);
  },
);

t.test("whoever always wants more gets its part of the total rate, by weight", async (t) => {
  const { admission, enter, clock, soon } = door({ slots: 10, mostWaiting: 1000, mostRate: 100 });
  const counts = { a: 0, b: 0, c: 0 };
  const weights = { a: 1, b: 2, c: 5 };
  for (const caller of callers) {
    const worker = async () => {
      while (clock.now() < 10_000) {
        const halt = await enter({ caller, weight: weights[caller], ...soon(20_000) });
        if (halt) throw new Error(halt.error);
        counts[caller] += 1;
        clock.after(30, () => admission.leave());
      }
    };
    for (let at = 0; at < 20; at += 1) void worker();
  }
  await clock.advance(10_000);
  const total = counts.a + counts.b + counts.c;
  t.ok(total >= 1000 && total <= 1020, `${total} in 10 s at 100/s`);
  for (const caller of callers) {
    const share = (total * weights[caller]) / 8;
    t.ok(Math.abs(counts[caller] - share) < 15, `${caller}: ${counts[caller]} of ${share}`);
  }
});
