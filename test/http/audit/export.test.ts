import t from "tap";
import { StoreError } from "../../../src/audit/store.ts";
import { exportOf } from "../../../src/http/audit/export.ts";
import { type Item, openStore, watched } from "./app.ts";

/** Rows of a common size, enough for several pages of the store and many chunks. */
const many = 3000;
const fields = Array.from({ length: 8 }, (_, index) => `field_${index}_${"x".repeat(80)}`);

async function textOf(stream: AsyncIterable<string>): Promise<string> {
  let text = "";
  for await (const chunk of stream) text += chunk;
  return text;
}

const idsOf = (text: string) =>
  text
    .split("\n")
    .slice(0, -1)
    .map((line) => (JSON.parse(line) as Item).id);
const upTo = (last: number) => Array.from({ length: last }, (_, index) => `a.1:${index + 1}`);

t.test("everything that matches, oldest first, one record a line", async (t) => {
  const { store } = await openStore(t, (trail) => [
    ...trail.rows(many, { caller: "billing", fields }),
    ...trail.rows(2, { caller: "shop" }),
  ]);
  t.strictSame(idsOf(await textOf(await exportOf(store, {}))), upTo(many + 2));
  t.strictSame(idsOf(await textOf(await exportOf(store, { caller: "billing" }))), upTo(many));
  t.strictSame(idsOf(await textOf(await exportOf(store, { caller: "shop" }))), [
    `a.1:${many + 1}`,
    `a.1:${many + 2}`,
  ]);
  t.equal(await textOf(await exportOf(store, { caller: "nobody" })), "");
});

t.test("an empty store is an empty export", async (t) => {
  const { store } = await openStore(t);
  t.equal(await textOf(await exportOf(store, {})), "");
});

t.test("what is written after it began does not keep it from ending", async (t) => {
  const { store, trail, append } = await openStore(t, (trail) => trail.rows(many, { fields }));
  // Before each page another page is written: without an end of its own it would go on for ever.
  const { reader, seen } = watched(store, async (call) => {
    if (call > 1) await append(trail.rows(500, { fields }));
    if (call > 100) throw new Error("this export does not end");
  });
  t.strictSame(idsOf(await textOf(await exportOf(reader, {}))), upTo(many));
  t.ok(seen.calls > many / 500);
});

t.test("it reads no further ahead than a page and a chunk", async (t) => {
  const { store } = await openStore(t, (trail) => trail.rows(many, { fields }));
  const { reader, seen } = watched(store);
  const stream = await exportOf(reader, {});
  const other = watched(store);
  for (let round = 0; round < 50; round += 1) {
    await other.reader.find({}, { order: "newest_first", limit: 1 });
  }
  t.equal(seen.calls, 2, "one to know the end, one page");
  const text = await textOf(stream);
  t.strictSame(idsOf(text), upTo(many));
  t.ok(text.length > 1_000_000);
});

t.test("who stops reading stops the store being read", async (t) => {
  const { store } = await openStore(t, (trail) => trail.rows(many, { fields }));
  const { reader, seen } = watched(store);
  const stream = await exportOf(reader, {});
  for await (const chunk of stream) {
    t.ok(chunk.length > 0);
    break;
  }
  t.equal(stream.destroyed, true);
  const { calls } = seen;
  const other = watched(store);
  for (let round = 0; round < 50; round += 1) {
    await other.reader.find({}, { order: "newest_first", limit: 1 });
  }
  t.equal(seen.calls, calls);
});

t.test("an error before the first chunk comes before the stream, a later one out of it", async (t) => {
  const { store } = await openStore(t, (trail) => trail.rows(many, { fields }));
  const broken = new StoreError("broken");
  const failing = (at: number) => {
    return watched(store, (call) => {
      if (call === at) throw broken;
    }).reader;
  };
  await t.rejects(exportOf(failing(1), {}), broken);
  await t.rejects(exportOf(failing(2), {}), broken);
  const stream = await exportOf(failing(4), {});
  let text = "";
  const reading = async () => {
    for await (const chunk of stream) text += chunk;
  };
  await t.rejects(reading(), broken);
  const ids = idsOf(text);
  t.ok(ids.length > 500 && ids.length <= 1000);
  t.strictSame(ids, upTo(ids.length));
});
