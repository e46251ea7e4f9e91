import t from "tap";
import { RejectionLook } from "../../../src/coze/token/rejection-look.ts";

t.test("one look at a time, and the next one only after a while", async (t) => {
  let now = 0;
  const looks: (() => void)[] = [];
  const look = new RejectionLook(
    () => new Promise((resolve) => looks.push(resolve)),
    () => now,
  );
  const first = look.once();
  now = 10_000;
  t.equal(look.once(), first, "whoever comes meanwhile waits for the same one");
  t.equal(looks.length, 1);
  looks[0]?.();
  await first;
  now = 2_999;
  t.equal(look.once(), undefined, "a moment after its beginning");
  now = 3_000;
  t.type(look.once(), Promise);
  t.equal(looks.length, 2);
});

t.test("a look that fails is over all the same", async (t) => {
  let now = 0;
  const look = new RejectionLook(
    () => Promise.reject(new Error("no")),
    () => now,
  );
  await t.rejects(look.once() ?? Promise.resolve(), { message: "no" });
  now = 3_000;
  await t.rejects(look.once() ?? Promise.resolve(), { message: "no" });
});
