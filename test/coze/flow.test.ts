import t from "tap";
import { Flow } from "../../src/coze/flow.ts";

/** All who stand in the line, read from both ends. */
function inLine(flow: Flow<string>): string[] {
  const forwards: string[] = [];
  const backwards: string[] = [];
  for (let place = flow.first; place; place = place.after) forwards.push(place.item);
  for (let place = flow.last; place; place = place.before) backwards.unshift(place.item);
  t.same(backwards, forwards);
  return forwards;
}

t.test("the line keeps its order, whoever steps out", async (t) => {
  const flow = new Flow<string>("a", 0);
  t.same(inLine(flow), []);
  const [a, b, c, d] = ["a", "b", "c", "d"].map((item) => flow.add(item));
  t.same(inLine(flow), ["a", "b", "c", "d"]);
  if (!a || !b || !c || !d) throw new Error("no places");
  flow.remove(b);
  t.same(inLine(flow), ["a", "c", "d"], "from the middle");
  flow.remove(d);
  t.same(inLine(flow), ["a", "c"], "the last one");
  flow.remove(a);
  t.same(inLine(flow), ["c"], "the first one");
  t.equal(flow.backlog, 1);
  flow.remove(c);
  t.same(inLine(flow), []);
  t.equal(flow.backlog, 0);
});

t.test("the burden is what waits for each unit of weight", async (t) => {
  const flow = new Flow<string>("a", 0);
  for (let at = 0; at < 6; at += 1) flow.add("x");
  t.equal(flow.burden, 6);
  flow.weight = 4;
  t.equal(flow.burden, 1.5);
});

t.test("turns before a time: one every 1/weight from the due time on, no more than wait", async (t) => {
  const flow = new Flow<string>("a", 10);
  flow.weight = 2;
  for (let at = 0; at < 3; at += 1) flow.add("x");
  t.same(
    [9, 10, 10.1, 10.5, 10.6, 11.1, 99].map((time) => flow.turnsBefore(time)),
    [0, 0, 1, 1, 2, 3, 3],
  );
});
