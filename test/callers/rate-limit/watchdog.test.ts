import { setTimeout as sleep } from "node:timers/promises";
import t, { type Test } from "tap";
import { Watchdog } from "../../../src/callers/rate-limit/watchdog.ts";
import { eventually } from "../../config/eventually.ts";

/** An answer that does not come before the test is over. */
function never(t: Test): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  t.teardown(resolve);
  return promise;
}

/** Stands still as a whole for so many ms. */
function stall(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

t.test("an answer is passed on, and so is a failure", async (t) => {
  const watchdog = new Watchdog(60_000, () => t.fail("nothing is overdue"));
  t.equal(await watchdog.watch(Promise.resolve(7)), 7);
  await t.rejects(watchdog.watch(Promise.reject(new Error("broken"))), { message: "broken" });
});

t.test("what does not come is noticed, though not before its time", async (t) => {
  let overdue = 0;
  const watchdog = new Watchdog(50, () => overdue++);
  const start = performance.now();
  void watchdog.watch(never(t));
  await eventually("it is overdue", () => overdue > 0);
  t.ok(performance.now() - start >= 49);
});

t.test("who asked later is not given up with who asked first", async (t) => {
  let overdue = 0;
  const watchdog = new Watchdog(500, () => overdue++);
  const first = Promise.withResolvers<void>();
  const watched = watchdog.watch(first.promise);
  await sleep(300);
  void watchdog.watch(never(t));
  first.resolve();
  await watched;
  const start = performance.now();
  await eventually("the second is overdue", () => overdue > 0);
  t.ok(performance.now() - start > 300);
});

t.test("while this process stands still nobody is late", async (t) => {
  let overdue = 0;
  const watchdog = new Watchdog(250, () => overdue++);
  const answer = Promise.withResolvers<void>();
  const watched = watchdog.watch(answer.promise);
  for (let at = 0; at < 4; at += 1) {
    stall(150);
    await sleep(1);
  }
  answer.resolve();
  await watched;
  t.equal(overdue, 0);
});

t.test("it counts anew after a time in which nobody waited", async (t) => {
  let overdue = 0;
  const watchdog = new Watchdog(50, () => overdue++);
  await watchdog.watch(sleep(1));
  await sleep(100);
  const start = performance.now();
  void watchdog.watch(never(t));
  await eventually("it is overdue", () => overdue > 0);
  t.ok(performance.now() - start >= 49);
});
