import t from "tap";
import { anchorLine } from "../../src/audit/anchor-line.ts";
import { Chain } from "../../src/audit/chain.ts";
import { readAnchor } from "../../src/audit/verify/anchor.ts";

t.test("a line of JSON that verification reads back, with the record byte for byte", async (t) => {
  const sealed = new Chain("here.1").seal({ kind: "alive", time: Date.now(), uptime_ms: 5 }, 1);
  const line = anchorLine(sealed);
  t.match(line, /^\{"level":"info","ts":"[^"]+Z","event":"audit".*\}\n$/);
  t.ok(line.includes(`"record":${sealed.text}}`));
  t.strictSame(JSON.parse(line).record, sealed.record);
  t.match(readAnchor(line), { stream: "here.1", seq: 1, hash: sealed.hash });
});
