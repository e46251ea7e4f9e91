import fc from "fast-check";
import t from "tap";
import { renewAfterMs, retryMintAfterMs } from "../../../src/coze/token/oauth-schedule.ts";

const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });

t.test("a token is renewed at 80 % of its life, not by all at the same moment", async (t) => {
  t.equal(renewAfterMs(3_600_000, 0.5), 2_880_000);
  const [first, last] = [renewAfterMs(3_600_000, 0), renewAfterMs(3_600_000, 1)];
  t.ok(first < 2_800_000 && first >= 0.75 * 3_600_000, String(first));
  t.ok(last > 2_950_000 && last <= 0.85 * 3_600_000, String(last));
  t.equal(renewAfterMs(500, 0), 1_000, "never so soon that mints would pile up");
});

t.test("what passes by itself is tried again after 1 s, and at last every minute", async (t) => {
  const bounds = [2, 4, 8, 16, 32, 60, 60, 60].map((seconds) => seconds * 1000);
  for (const [index, bound] of bounds.entries()) {
    t.equal(retryMintAfterMs(index + 1, true, 0), 1_000);
    t.equal(retryMintAfterMs(index + 1, true, 1), bound);
  }
});

t.test("what somebody has to mend is tried less often", async (t) => {
  const bounds = [60, 120, 240, 480, 600, 600].map((seconds) => seconds * 1000);
  for (const [index, bound] of bounds.entries()) {
    t.equal(retryMintAfterMs(index + 1, false, 0), 30_000);
    t.equal(retryMintAfterMs(index + 1, false, 1), bound);
  }
});

t.test("however long it fails, waits stay within bounds", async () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 100_000 }), fc.boolean(), random, (failures, passing, chance) => {
      const ms = retryMintAfterMs(failures, passing, chance);
      return ms >= (passing ? 1_000 : 30_000) && ms <= (passing ? 60_000 : 600_000);
    }),
  );
});
