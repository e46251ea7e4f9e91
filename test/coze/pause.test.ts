import t from "tap";
import { pause } from "../../src/coze/pause.ts";

t.test("it waits, and says whether somebody still waits", async (t) => {
  const start = performance.now();
  t.equal(await pause(30, undefined), true);
  t.ok(performance.now() - start >= 29);
  t.equal(await pause(0, undefined), true);
  t.equal(await pause(0, new AbortController().signal), true);
});

t.test("a signal ends it at once", async (t) => {
  t.equal(await pause(3_600_000, AbortSignal.abort()), false);
  t.equal(await pause(0, AbortSignal.abort()), false);
  const gone = new AbortController();
  const waiting = pause(3_600_000, gone.signal);
  gone.abort();
  t.equal(await waiting, false);
});
