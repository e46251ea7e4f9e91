import t from "tap";
import { Verdicts } from "../../../src/callers/jwt/verdicts.ts";

t.test("a verdict lives for its time, whatever is asked meanwhile", async (t) => {
  const verdicts = new Verdicts<string>(100, 10);
  t.equal(verdicts.get("a", 0), undefined);
  verdicts.put("a", "yes", 0);
  verdicts.put("b", "no", 50);
  t.equal(verdicts.get("a", 99), "yes");
  t.equal(verdicts.get("a", 100), undefined);
  t.equal(verdicts.get("b", 149), "no");
  t.equal(verdicts.size, 1, "what has ended is let go");
  t.equal(verdicts.get("b", 150), undefined);
  t.equal(verdicts.size, 0);
});

t.test("a newer verdict counts, and from its own time", async (t) => {
  const verdicts = new Verdicts<string>(100, 10);
  verdicts.put("a", "yes", 0);
  verdicts.put("b", "yes", 10);
  verdicts.put("a", "again", 60);
  t.equal(verdicts.get("b", 110), undefined);
  t.equal(verdicts.get("a", 159), "again");
  t.equal(verdicts.get("a", 160), undefined);
});

t.test("the oldest goes when it is full", async (t) => {
  const verdicts = new Verdicts<number>(1000, 3);
  for (let at = 0; at < 100; at++) verdicts.put(`key ${at}`, at, at);
  t.equal(verdicts.size, 3);
  t.equal(verdicts.get("key 99", 100), 99);
  t.equal(verdicts.get("key 97", 100), 97);
  t.equal(verdicts.get("key 96", 100), undefined);
});
