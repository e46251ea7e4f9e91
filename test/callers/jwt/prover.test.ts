import t from "tap";
import { defaultTunables } from "../../../src/callers/jwt/prover.ts";

t.test("what is promised of the times", async (t) => {
  t.equal(defaultTunables.positiveMs, 60_000, "an API server's yes (FAULTS 44)");
  t.ok(defaultTunables.negativeMs <= 10_000, "its no");
  t.equal(defaultTunables.refreshMs, 5 * 60_000, "a removed key (FAULTS 43)");
  t.equal(defaultTunables.keepKeysMs, 24 * 3_600_000);
  t.ok(defaultTunables.timeoutMs + 1_000 < 10_000, "a caller still gets its answer");
});
