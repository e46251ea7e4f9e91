import fc from "fast-check";
import t from "tap";
import { type HeldToken, TokenChoice } from "../../../src/coze/token/choice.ts";

let now = 0;

/** A choice that has taken so many tokens, of which these have been accepted. */
function choice(count: number, ...accepted: readonly number[]) {
  const made = new TokenChoice(() => now);
  for (let generation = 1; generation <= count; generation++) {
    made.take(held(generation));
    if (accepted.includes(generation)) made.accepted({ generation, insteadOf: undefined });
  }
  return made;
}

const held = (generation: number, endsAt?: number): HeldToken => ({
  value: `token-${generation}`,
  generation,
  takenAt: 0,
  endsAt,
  expiresAt: undefined,
});

t.test("without a token there is none", async (t) => {
  const none = choice(0);
  t.equal(none.current, undefined);
  t.equal(none.newest, undefined);
  t.equal(none.otherThan(1), undefined);
  t.equal(none.reverted, false);
  t.same(none.generations, []);
  t.equal(none.accepted({ generation: 1, insteadOf: undefined }), undefined);
});

t.test("a new token is always tried first", async (t) => {
  t.equal(choice(1).current?.generation, 1);
  t.equal(choice(2, 1).current?.generation, 2);
  t.equal(choice(3, 1, 2).current?.generation, 3);
});

t.test("what a call is repeated with after a rejection", async (t) => {
  const cases: [what: string, made: TokenChoice, rejected: number, other: number | undefined][] = [
    ["the only one: nothing else", choice(1), 1, undefined],
    ["an only one that has worked: nothing else", choice(1, 1), 1, undefined],
    ["a new one that never worked: the one that did", choice(2, 1), 2, 1],
    ["a bad one after a bad one: still the one that worked", choice(3, 1), 3, 1],
    ["many bad ones: still the one that worked", choice(9, 1), 9, 1],
    ["one that was replaced meanwhile: the newer one", choice(2, 1), 1, 2],
    ["one that worked and was replaced: the newer one, not an older", choice(3, 1, 2), 2, 3],
    ["a bad one that was replaced: the one that worked, not another untried one", choice(3, 1), 2, 1],
    ["nothing has ever worked: the newest", choice(3), 2, 3],
    ["one that worked and is withdrawn: the one before", choice(2, 1, 2), 2, 1],
    ["the last one that worked comes first", choice(4, 1, 2, 3), 4, 3],
  ];
  for (const [what, made, rejected, other] of cases)
    t.equal(made.otherThan(rejected)?.generation, other, what);
});

t.test("for a missing permission only another that may have it", async (t) => {
  const cases: [what: string, made: TokenChoice, lacking: number, other: number | undefined][] = [
    ["the only one", choice(1), 1, undefined],
    ["a new one that never worked: the one that did", choice(2, 1), 2, 1],
    ["a new one that has worked: it is a matter of permissions", choice(2, 1, 2), 2, undefined],
    ["an older one: the newer one", choice(2, 1), 1, 2],
    ["an older one that never worked: the newer one", choice(2), 1, 2],
  ];
  for (const [what, made, lacking, other] of cases)
    t.equal(made.otherThan(lacking, true)?.generation, other, what);
});

t.test("a rejected new token: once the one before has gone well in its place, it is in use", async (t) => {
  const made = choice(2, 1);
  made.rejected({ generation: 2, insteadOf: undefined });
  t.equal(made.current?.generation, 2, "a rejection alone changes nothing");
  t.equal(
    made.accepted({ generation: 1, insteadOf: undefined }),
    undefined,
    "what was sent before proves nothing",
  );
  t.equal(made.current?.generation, 2);
  t.equal(made.accepted({ generation: 1, insteadOf: 2 }), "reverted");
  t.equal(made.current?.generation, 1);
  t.equal(made.reverted, true);
  t.equal(made.accepted({ generation: 1, insteadOf: 2 }), undefined, "it is told once");
  t.equal(made.otherThan(1, true), undefined, "that lacks a permission: the rejected one is no hope");
  made.take(held(3));
  t.equal(made.current?.generation, 3, "another new token is tried");
  t.equal(made.reverted, false);
  t.equal(made.accepted({ generation: 1, insteadOf: 2 }), undefined, "an old quarrel is no judgement of it");
  t.equal(made.current?.generation, 3);
  t.equal(made.accepted({ generation: 1, insteadOf: 3 }), "reverted", "good, bad, bad: the good one");
});

t.test("when the older one fails as well, the newest gets its chance", async (t) => {
  const made = choice(2, 1);
  made.accepted({ generation: 1, insteadOf: 2 });
  t.equal(made.otherThan(1)?.generation, 2);
  t.test("it works now", async (t) => {
    t.equal(made.accepted({ generation: 2, insteadOf: 1 }), "restored");
    t.equal(made.current?.generation, 2);
    t.equal(made.reverted, false);
  });
  t.test("it fails too: the next call begins with it", async (t) => {
    const both = choice(2, 1);
    both.accepted({ generation: 1, insteadOf: 2 });
    both.rejected({ generation: 2, insteadOf: 1 });
    t.equal(both.current?.generation, 2);
    t.equal(both.otherThan(2)?.generation, 1, "and the older one is still there");
  });
});

t.test("a success of a newest token in flight does not end a fall-back", async (t) => {
  const made = choice(2, 1);
  made.accepted({ generation: 1, insteadOf: 2 });
  t.equal(made.accepted({ generation: 2, insteadOf: undefined }), undefined);
  t.equal(made.current?.generation, 1);
});

t.test("a token that is over is passed over", async (t) => {
  now = 0;
  const made = new TokenChoice(() => now);
  made.take(held(1, 100));
  made.accepted({ generation: 1, insteadOf: undefined });
  made.take(held(2, 200));
  t.equal(made.accepted({ generation: 1, insteadOf: 2 }), "reverted");
  now = 99;
  t.equal(made.current?.generation, 1);
  now = 100;
  t.equal(made.current?.generation, 2, "the rejected one may be accepted by now");
  t.equal(made.reverted, false);
  t.equal(made.otherThan(2), undefined);
  now = 200;
  t.equal(made.current, undefined);
  t.equal(made.newest?.generation, 2);
});

t.test("two that have worked are remembered, and what is in use", async (t) => {
  t.same(new Set(choice(5, 1, 2, 3).generations), new Set([5, 3, 2]));
  const made = choice(2, 1);
  made.accepted({ generation: 1, insteadOf: 2 });
  t.same(new Set(made.generations), new Set([1, 2]));
});

t.test("whatever happens, the token in use came last or has worked", async () => {
  now = 0;
  const generation = fc.integer({ min: 1, max: 8 });
  const insteadOf = fc.option(generation, { nil: undefined });
  const step = fc.oneof(
    fc.record({ kind: fc.constant("take" as const) }),
    fc.record({ kind: fc.constantFrom("accepted" as const, "rejected" as const), generation, insteadOf }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const made = new TokenChoice(() => now);
      const worked = new Set<number>();
      let newest = 0;
      for (const each of steps) {
        if (each.kind === "take") made.take(held(++newest));
        else if (each.generation > newest) continue;
        else {
          if (each.kind === "accepted") worked.add(each.generation);
          made[each.kind](each);
        }
        const current = made.current?.generation ?? 0;
        if (current !== newest && !worked.has(current)) return false;
        for (let one = 1; one <= newest; one++) if (made.otherThan(one)?.generation === one) return false;
      }
      return true;
    }),
    { numRuns: 2000 },
  );
});
