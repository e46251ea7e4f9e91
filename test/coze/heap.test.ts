import fc from "fast-check";
import t from "tap";
import { Heap } from "../../src/coze/heap.ts";

interface Member {
  key: number;
}

const byKey = () => new Heap<Member>((one, other) => one.key < other.key);

/** All keys in order; empties the heap. */
function drained(heap: Heap<Member>): number[] {
  const keys: number[] = [];
  for (let first = heap.first; first; first = heap.first) {
    keys.push(first.key);
    heap.remove(first);
  }
  return keys;
}

t.test("an empty one has no first member", async (t) => {
  const heap = byKey();
  t.equal(heap.first, undefined);
  heap.remove({ key: 1 });
  t.equal(heap.first, undefined);
});

t.test("members come out in order, and cleared ones do not", async (t) => {
  const heap = byKey();
  for (const key of [5, 3, 8, 1, 9, 2]) heap.place({ key });
  t.same(drained(heap), [1, 2, 3, 5, 8, 9]);
  heap.place({ key: 1 });
  heap.clear();
  t.same(drained(heap), []);
});

t.test("whatever is added, changed and removed, the first one is the least", async () => {
  const step = fc.record({
    what: fc.constantFrom("add", "add", "change", "remove"),
    which: fc.nat(),
    key: fc.nat({ max: 50 }),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const heap = byKey();
      const members: Member[] = [];
      for (const { what, which, key } of steps) {
        const at = which % Math.max(1, members.length);
        const member = members[at];
        if (what === "add" || !member) {
          const added = { key };
          members.push(added);
          heap.place(added);
        } else if (what === "change") {
          member.key = key;
          heap.place(member);
        } else {
          members.splice(at, 1);
          heap.remove(member);
        }
        const least = members.length === 0 ? undefined : Math.min(...members.map((one) => one.key));
        if (heap.first?.key !== least) return false;
      }
      const keys = members.map((one) => one.key).sort((one, other) => one - other);
      return String(drained(heap)) === String(keys);
    }),
  );
});
