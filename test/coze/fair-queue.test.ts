import fc from "fast-check";
import t from "tap";
import { FairQueue } from "../../src/coze/fair-queue.ts";

interface Item {
  readonly caller: string;
  readonly at: number;
}

/** A queue, and who is in it by name: `a1` is the first one of caller a. */
function queueOf(mostWaiting = 1000) {
  const queue = new FairQueue<Item>(mostWaiting);
  const counts = new Map<string, number>();
  const nameOf = (item: Item | undefined) => item && item.caller + item.at;
  const push = (caller: string, weight = 1) => {
    const at = (counts.get(caller) ?? 0) + 1;
    counts.set(caller, at);
    const item = { caller, at };
    return { item, displaced: nameOf(queue.push(caller, weight, item)) };
  };
  const serve = () => {
    const item = queue.next();
    if (item) queue.serve(item);
    return item;
  };
  const served = (most = Number.POSITIVE_INFINITY) => {
    const names: string[] = [];
    for (let item = serve(); item; item = serve()) {
      names.push(item.caller + item.at);
      if (names.length >= most) break;
    }
    return names;
  };
  return { queue, push, serve, served };
}

/** How often each caller is among these. */
function countOf(names: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const name of names) counts[name.charAt(0)] = (counts[name.charAt(0)] ?? 0) + 1;
  return counts;
}

t.test("one caller alone is served first come, first served", async (t) => {
  const { queue, push, served } = queueOf();
  for (let at = 0; at < 4; at += 1) push("a");
  t.equal(queue.waiting, 4);
  t.same(served(), ["a1", "a2", "a3", "a4"]);
  t.equal(queue.waiting, 0);
  t.equal(queue.next(), undefined);
});

t.test("callers take turns, however many each of them has", async (t) => {
  const { push, served } = queueOf();
  for (let at = 0; at < 5; at += 1) push("a");
  for (let at = 0; at < 2; at += 1) push("b");
  push("c");
  t.same(served(), ["a1", "b1", "c1", "a2", "b2", "a3", "a4", "a5"]);
});

t.test("by weight: thrice the weight, thrice the turns", async (t) => {
  const { push, served } = queueOf();
  for (let at = 0; at < 100; at += 1) {
    push("a", 3);
    push("b", 1);
    push("c", 0.5);
  }
  t.same(countOf(served(90)), { a: 60, b: 20, c: 10 });
});

t.test("a weight that changes holds for all that wait", async (t) => {
  const { push, served } = queueOf();
  for (let at = 0; at < 100; at += 1) {
    push("a", 1);
    push("b", 1);
  }
  t.same(countOf(served(20)), { a: 10, b: 10 });
  push("a", 4);
  t.match(countOf(served(50)), { a: 40, b: 10 });
});

t.test("who was away has saved nothing up, and loses nothing", async (t) => {
  const { push, served } = queueOf();
  for (let at = 0; at < 1000; at += 1) push("a");
  push("b");
  served(500);
  for (let at = 0; at < 10; at += 1) push("b");
  t.same(served(3), ["b2", "a500", "b3"], "it is next, and then they take turns");
});

t.test("who leaves and comes back at once gains no turn", async (t) => {
  const { push, served } = queueOf();
  for (let at = 0; at < 100; at += 1) {
    push("a");
    push("b");
  }
  // Caller c never has more than one waiting, and has one again as soon as that one has gone.
  const names: string[] = [];
  while (names.length < 60) {
    if (names.at(-1)?.startsWith("c") !== false) push("c");
    names.push(...served(1));
  }
  t.same(countOf(names), { a: 20, b: 20, c: 20 });
});

t.test("who goes without a turn does not pay for one", async (t) => {
  const { push, served, queue } = queueOf();
  for (let at = 0; at < 100; at += 1) push("a");
  const given = Array.from({ length: 50 }, () => push("b").item);
  for (const item of given) queue.remove(item);
  push("b");
  push("b");
  t.same(served(4), ["a1", "b51", "a2", "b52"]);
});

t.test("what is not there can be removed or served to no effect", async (t) => {
  const { push, queue, served } = queueOf();
  const { item } = push("a");
  push("a");
  queue.remove(item);
  queue.remove(item);
  queue.serve(item);
  t.equal(queue.waiting, 1);
  t.same(served(), ["a2"]);
});

t.test(
  "a full queue: the last one of the caller with the most makes room, for a caller with less",
  async (t) => {
    const { push, served } = queueOf(6);
    for (let at = 0; at < 6; at += 1) t.equal(push("a").displaced, undefined);
    t.equal(push("a").displaced, "a7", "a caller does not push out its own");
    t.equal(push("b").displaced, "a6");
    t.equal(push("b").displaced, "a5");
    t.equal(push("b").displaced, "a4");
    t.equal(push("b").displaced, "b4", "three of each: nobody has more");
    t.equal(push("c").displaced, "a3", "the last one of either");
    t.same(served(), ["a1", "b1", "c1", "a2", "b2", "b3"]);
  },
);

t.test("a full queue counts by weight", async (t) => {
  const { push } = queueOf(6);
  for (let at = 0; at < 4; at += 1) push("a", 4);
  for (let at = 0; at < 2; at += 1) push("b", 1);
  t.equal(push("a", 4).displaced, "b2", "two of weight 1 are more than four of weight 4");
  t.equal(push("b", 1).displaced, "b3");
  t.equal(push("c", 0.5).displaced, "c1", "one of weight 0.5 is more than all of these");
});

t.test("a queue of one place, and of none", async (t) => {
  const one = queueOf(1);
  one.push("a");
  t.equal(one.push("b").displaced, "b1");
  t.equal(one.push("b", 2).displaced, "a1");
  t.same(one.served(), ["b2"]);
  const none = queueOf(0);
  t.equal(none.push("a").displaced, "a1");
  t.same(none.served(), []);
  t.equal(none.queue.callers, 0);
});

t.test("a caller who is gone is forgotten once its next turn would have come", async (t) => {
  const { push, served, queue } = queueOf();
  for (let at = 0; at < 10; at += 1) push("a");
  for (let at = 0; at < 100_000; at += 1) {
    push(`caller ${at}`);
    served(2);
    push("a");
  }
  t.ok(queue.callers <= 3, `${queue.callers} in memory`);
  t.ok(queue.waiting > 0);
  t.equal(queue.turnOf("a", 1), queue.waiting + 1);
  served();
  t.equal(queue.callers, 0);
  t.same([...queue.items()], []);
});

const callers = ["a", "b", "c", "d"] as const;
const step = fc.record({
  what: fc.constantFrom("push", "push", "push", "serve", "remove"),
  caller: fc.constantFrom(...callers),
  which: fc.nat(),
});
const weights = fc.tuple(...callers.map(() => fc.constantFrom(0.5, 1, 2, 3, 10)));

t.test("whatever happens, each item leaves once, in its caller's order, and the bound is kept", async () => {
  fc.assert(
    fc.property(weights, fc.nat({ max: 12 }), fc.array(step, { maxLength: 300 }), (given, most, steps) => {
      const { queue, push, serve } = queueOf(most);
      const waiting = new Map<string, Item>();
      for (const { what, caller, which } of steps) {
        if (what === "push") {
          const { item, displaced } = push(caller, given[callers.indexOf(caller)]);
          const full = waiting.size === most;
          waiting.set(item.caller + item.at, item);
          if (full !== (displaced !== undefined)) return false;
          if (displaced !== undefined && !waiting.delete(displaced)) return false;
        } else if (what === "serve") {
          const item = serve();
          if ((item === undefined) !== (waiting.size === 0)) return false;
          const before = [...waiting.values()].some(
            (one) => item && one.caller === item.caller && one.at < item.at,
          );
          if (before || (item && !waiting.delete(item.caller + item.at))) return false;
        } else {
          const item = [...waiting.values()][which % Math.max(1, waiting.size)];
          if (item) queue.remove(item);
          if (item) waiting.delete(item.caller + item.at);
        }
        if (queue.waiting !== waiting.size || waiting.size > most) return false;
        if (queue.callers > 0 && waiting.size === 0) return false;
      }
      const left = new Set(waiting.values());
      return [...queue.items()].every((item) => left.delete(item)) && left.size === 0;
    }),
  );
});

t.test(
  "callers who always have somebody waiting get turns by their weights, to within a turn each",
  async () => {
    fc.assert(
      fc.property(weights, fc.integer({ min: 1, max: 300 }), (given, turns) => {
        const { push, served } = queueOf(100_000);
        for (let at = 0; at <= turns; at += 1) {
          for (const [index, caller] of callers.entries()) push(caller, given[index]);
        }
        const counts = countOf(served(turns));
        const each = callers.map((caller, index) => {
          const turn = 1 / (given[index] ?? 0);
          return { turn, had: (counts[caller] ?? 0) * turn };
        });
        return each.every((one) =>
          each.every((other) => Math.abs(one.had - other.had) <= one.turn + other.turn + 1e-9),
        );
      }),
    );
  },
);

t.test(
  "nobody starves: a caller's first one goes before others get two turns more than their weight",
  async () => {
    fc.assert(
      fc.property(weights, fc.array(step, { maxLength: 100 }), (given, steps) => {
        const { push, serve } = queueOf(100_000);
        const weightOf = (caller: string) => given[callers.indexOf(caller as "a")] ?? 0;
        for (const { caller, what } of steps) {
          if (what === "serve") serve();
          else push(caller, weightOf(caller));
        }
        push("d", weightOf("d"));
        const turns = new Map<string, number>();
        for (let item = serve(); item && item.caller !== "d"; item = serve()) {
          turns.set(item.caller, (turns.get(item.caller) ?? 0) + 1);
          push(item.caller, weightOf(item.caller));
        }
        return [...turns].every(([caller, count]) => count <= weightOf(caller) / weightOf("d") + 2);
      }),
    );
  },
);

t.test("which turn it will be is foreseen, but for those who are due at the same time", async () => {
  fc.assert(
    fc.property(weights, fc.array(step, { maxLength: 150 }), (given, steps) => {
      const { queue, push, serve } = queueOf();
      const weightOf = (caller: string) => given[callers.indexOf(caller as "a")] ?? 0;
      for (const { caller, what } of steps) {
        if (what === "serve") serve();
        else push(caller, weightOf(caller));
      }
      const foreseen = queue.turnOf("a", weightOf("a"));
      const { item } = push("a", weightOf("a"));
      let turn = 1;
      while (serve() !== item) turn += 1;
      return foreseen <= turn && turn <= foreseen + callers.length - 1;
    }),
  );
});
