import t from "tap";
import { tokenStatus } from "../../../src/coze/token/status.ts";

const least = { source: "file /token", state: "missing", generation: 0, reverted: false };

t.test("an answer of ours is told from what something else may say", async (t) => {
  t.strictSame(tokenStatus.parse({ ...least, more: 1 }), least);
  const whole = {
    ...least,
    state: "usable",
    fingerprint: "0123456789ab",
    age_seconds: 1,
    expires_at: "2027-01-01T00:00:00.000Z",
    trouble: "ENOENT",
  };
  t.strictSame(tokenStatus.parse(whole), whole);
  for (const other of [{}, [], "ok", null, { status: "ok" }, { ...least, state: "fine" }])
    t.equal(tokenStatus.safeParse(other).success, false, JSON.stringify(other));
});
