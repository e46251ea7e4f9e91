import t from "tap";
import { monotonicClock } from "../../src/coze/clock.ts";

t.test("an action runs once, and not before its time", async (t) => {
  const start = monotonicClock.now();
  const at = await new Promise<number>((resolve) => {
    monotonicClock.after(20.4, () => resolve(monotonicClock.now()));
  });
  t.ok(at - start >= 20, `${at - start} ms`);
});

t.test("with no time to wait it runs after all that follows from what is happening now", async (t) => {
  const order: string[] = [];
  const done = new Promise<void>((resolve) => {
    monotonicClock.after(0, () => {
      order.push("after");
      resolve();
    });
  });
  order.push("now");
  for (let hop = 0; hop < 10; hop += 1) await Promise.resolve();
  order.push("what follows");
  await done;
  t.same(order, ["now", "what follows", "after"]);
});

for (const ms of [0, 5]) {
  t.test(`what is prevented does not run, ${ms} ms`, async (t) => {
    let ran = false;
    monotonicClock.after(ms, () => {
      ran = true;
    })();
    await new Promise((resolve) => setTimeout(resolve, 15));
    t.notOk(ran);
  });
}
