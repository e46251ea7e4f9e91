import t from "tap";
import { Admission, type Applicant } from "../../src/coze/admission.ts";
import { Pacer } from "../../src/coze/pacer.ts";
import { Slots } from "../../src/coze/slots.ts";

/** A door with so many slots, and somebody before it who has an hour. */
function door(slots: number, waiting = 10) {
  const pacer = new Pacer();
  const admission = new Admission(new Slots(slots, waiting), pacer);
  const applicant = (given: Partial<Applicant> = {}): Applicant => ({
    deadlineAt: performance.now() + 3_600_000,
    leastMs: 100,
    signal: undefined,
    ...given,
  });
  return { pacer, admission, applicant };
}

const soon = (ms: number) => ({ deadlineAt: performance.now() + ms });

t.test("who comes to an open door goes through, the next one when the first has left", async (t) => {
  const { admission, applicant } = door(1);
  t.equal(await admission.enter(applicant()), undefined);
  const order: string[] = [];
  const second = admission.enter(applicant()).then(() => order.push("through"));
  await new Promise((resolve) => setTimeout(resolve, 20));
  order.push("left");
  admission.leave();
  await second;
  t.same(order, ["left", "through"]);
});

t.test("without the time that an attempt needs nobody goes through", async (t) => {
  const { admission, applicant } = door(1);
  const late = { stopped: "no_time_left", error: "coze_timeout" };
  t.same(await admission.enter(applicant(soon(40))), late, "at the door");
  t.equal(await admission.enter(applicant()), undefined);
  t.same(await admission.enter(applicant(soon(150))), late, "in the queue");
});

t.test("a queue that is slow because of the brake says so", async (t) => {
  const { admission, applicant } = door(1);
  admission.throttled(undefined);
  t.equal(await admission.enter(applicant()), undefined);
  t.match(await admission.enter(applicant(soon(150))), { stopped: "no_time_left", error: "coze_throttled" });
});

t.test("a slot that comes when the time is over is given on", async (t) => {
  const { admission, applicant } = door(1);
  await admission.enter(applicant());
  const waiting = admission.enter(applicant(soon(150)));
  // The slot is granted, and then this thread is busy until the time is over.
  admission.leave();
  const until = performance.now() + 200;
  while (performance.now() < until);
  t.match(await waiting, { stopped: "no_time_left" });
  t.equal(await admission.enter(applicant()), undefined, "the slot is free again");
});

t.test("a full queue and a caller who goes", async (t) => {
  const { admission, applicant } = door(1, 1);
  await admission.enter(applicant());
  const gone = new AbortController();
  const waiting = admission.enter(applicant({ signal: gone.signal }));
  await new Promise((resolve) => setImmediate(resolve));
  t.same(await admission.enter(applicant()), { stopped: "no_connection", error: "overloaded" });
  gone.abort();
  t.same(await waiting, { stopped: "caller_gone", error: "coze_unavailable" });
});

t.test("a cool-down holds all up, those too who wait for a connection already", async (t) => {
  const { admission, applicant } = door(1);
  await admission.enter(applicant());
  const waiting = admission.enter(applicant());
  await new Promise((resolve) => setImmediate(resolve));
  const start = performance.now();
  admission.throttled(300);
  admission.leave();
  t.equal(await waiting, undefined);
  t.ok(performance.now() - start >= 299, "it was let through after the cool-down only");
});

t.test("a cool-down that begins while a turn is waited for makes the turn void", async (t) => {
  const { admission, applicant } = door(2);
  admission.throttled(undefined);
  t.equal(await admission.enter(applicant()), undefined);
  // At one send a second the next turn comes in about a second, within the cool-down.
  const waiting = admission.enter(applicant());
  await new Promise((resolve) => setImmediate(resolve));
  const start = performance.now();
  admission.throttled(1_500);
  t.equal(await waiting, undefined);
  t.ok(performance.now() - start >= 1_499, "it was let through after the cool-down only");
});

t.test("a cool-down longer than the time left is told at once", async (t) => {
  const { admission, applicant } = door(1);
  admission.throttled(30_000);
  const halt = await admission.enter(applicant(soon(10_000)));
  t.match(halt, { stopped: "no_time_left", error: "coze_throttled" });
  t.ok((halt?.retryAfterMs ?? 0) > 10_000);
});

t.test("callers who go while the brake holds them take nobody's turn", async (t) => {
  const { admission, applicant, pacer } = door(1);
  admission.throttled(undefined);
  await admission.enter(applicant());
  admission.leave();
  const gone = AbortSignal.timeout(20);
  await Promise.all(Array.from({ length: 30 }, () => admission.enter(applicant({ signal: gone }))));
  t.ok(pacer.waitMs(performance.now()) <= 1_000, "the next one waits one turn, not thirty");
});

for (const hint of [undefined, 300]) {
  t.test(`those who queued before the brake keep to its rate, hint ${hint}`, async (t) => {
    const { admission, applicant, pacer } = door(10, 100);
    for (let at = 0; at < 10; at += 1) await admission.enter(applicant());
    const through: number[] = [];
    const waiting = Array.from({ length: 30 }, async () => {
      const halt = await admission.enter(applicant(soon(2_000)));
      if (halt) return halt.error;
      through.push(performance.now());
      admission.leave();
      return "through";
    });
    await new Promise((resolve) => setImmediate(resolve));
    const start = performance.now();
    admission.throttled(hint);
    const { rate } = pacer;
    for (let at = 0; at < 10; at += 1) admission.leave();
    const ends = await Promise.all(waiting);
    // The rate grows by 10 a second; nobody is let through beyond it, the rest is told that Coze throttles.
    const seconds = (performance.now() - start) / 1000;
    const most = 1 + (rate + 10 * seconds) * seconds;
    t.ok(
      through.length > 0 && through.length <= most,
      `${through.length} through at ${rate}/s in ${seconds} s`,
    );
    t.same(new Set(ends), new Set(["through", "coze_throttled"]));
  });
}
