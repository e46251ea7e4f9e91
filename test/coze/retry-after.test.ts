import fc from "fast-check";
import t from "tap";
import { parseRetryAfter } from "../../src/coze/retry-after.ts";

const now = Date.parse("Sun, 22 Nov 2026 08:00:00 GMT");
const mostMs = 2_147_483_000;

for (const [value, ms] of [
  ["3", 3_000],
  [" 3 ", 3_000],
  ["0", 0],
  ["007", 7_000],
  ["99999999999999999999999", mostMs],
  ["Sun, 22 Nov 2026 08:00:05 GMT", 5_000],
  ["Sun, 22 Nov 2026 07:00:00 GMT", 0],
  ["Fri, 31 Dec 9999 23:59:59 GMT", mostMs],
  ["Sun, 22 Nov 2026 99:99:99 GMT", undefined],
  ["2026-11-22T08:00:05Z", undefined],
  ["Sunday, 22-Nov-26 08:00:05 GMT", undefined],
  ["1.5", undefined],
  ["-1", undefined],
  ["1e3", undefined],
  ["0x10", undefined],
  ["soon", undefined],
  ["1, 5", undefined],
  ["", undefined],
  [undefined, undefined],
  [[], undefined],
  [["1", "5", "2"], 5_000],
  [["soon", "2", "x"], 2_000],
  [["0", "soon"], 0],
  [["soon", "x"], undefined],
  [["1", "Sun, 22 Nov 2026 08:00:05 GMT"], 5_000],
] as const) {
  t.equal(parseRetryAfter(value, now), ms, JSON.stringify(value) ?? "absent");
}

t.test("any text gives no hint or a wait that a timer can hold", async () => {
  const given = fc.oneof(
    fc.string(),
    fc.nat().map(String),
    fc.date({ noInvalidDate: true }).map((d) => d.toUTCString()),
  );
  fc.assert(
    fc.property(fc.oneof(given, fc.array(given)), (value) => {
      const ms = parseRetryAfter(value, now);
      return ms === undefined || (ms >= 0 && ms <= mostMs && Number.isFinite(ms));
    }),
  );
});

t.test("of several readable hints the longest counts, in any order", async () => {
  fc.assert(
    fc.property(fc.array(fc.nat({ max: 100_000 }), { minLength: 1 }), (seconds) => {
      return parseRetryAfter(seconds.map(String), now) === Math.max(...seconds) * 1000;
    }),
  );
});

t.test("a date gives the time until then", async () => {
  fc.assert(
    fc.property(fc.integer({ min: -100_000, max: 100_000 }), (seconds) => {
      const date = new Date(now + seconds * 1000).toUTCString();
      return parseRetryAfter(date, now) === Math.max(0, seconds) * 1000;
    }),
  );
});
