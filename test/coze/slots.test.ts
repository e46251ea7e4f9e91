import t from "tap";
import { Slots } from "../../src/coze/slots.ts";

const long = 60_000;

t.test("slots are given at once while there are some, then first come, first served", async (t) => {
  const slots = new Slots(2, 10);
  t.equal(await slots.acquire(long), undefined);
  t.equal(await slots.acquire(long), undefined);
  const order: string[] = [];
  const waiting = ["a", "b", "c"].map((name) => slots.acquire(long).then(() => order.push(name)));
  t.equal(slots.waiting, 3);
  t.same(order, []);
  slots.release();
  slots.release();
  slots.release();
  await Promise.all(waiting);
  t.same(order, ["a", "b", "c"]);
  t.equal(slots.waiting, 0);
  slots.release();
  slots.release();
  t.equal(await slots.acquire(long), undefined, "what nobody waited for is free again");
  t.equal(await slots.acquire(long), undefined);
  const third = slots.acquire(1);
  t.equal(await third, "too_late", "and there are as many as at the start");
});

t.test("the queue has a bound, refused at once", async (t) => {
  const slots = new Slots(1, 2);
  await slots.acquire(long);
  const waiting = [slots.acquire(long), slots.acquire(long)];
  t.equal(await slots.acquire(long), "queue_full");
  slots.release();
  t.equal(await waiting[0], undefined);
  const next = slots.acquire(long);
  t.equal(slots.waiting, 2, "a place came free");
  slots.release();
  slots.release();
  t.same(await Promise.all([...waiting, next]), [undefined, undefined, undefined]);
});

t.test("no queue at all", async (t) => {
  const slots = new Slots(1, 0);
  t.equal(await slots.acquire(long), undefined);
  t.equal(await slots.acquire(long), "queue_full");
});

t.test("who waited too long leaves the queue and loses nobody's slot", async (t) => {
  const slots = new Slots(1, 10);
  await slots.acquire(long);
  const late = slots.acquire(5);
  const patient = slots.acquire(long);
  t.equal(await late, "too_late");
  t.equal(slots.waiting, 1);
  slots.release();
  t.equal(await patient, undefined);
});

t.test("who gives up leaves the queue and loses nobody's slot", async (t) => {
  const slots = new Slots(1, 10);
  await slots.acquire(long);
  const gone = new AbortController();
  const canceled = slots.acquire(long, gone.signal);
  const patient = slots.acquire(long, new AbortController().signal);
  gone.abort();
  t.equal(await canceled, "canceled");
  t.equal(slots.waiting, 1);
  slots.release();
  t.equal(await patient, undefined);
});
