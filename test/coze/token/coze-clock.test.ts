import t from "tap";
import { CozeClock, realClocks } from "../../../src/coze/token/coze-clock.ts";

const noon = Date.parse("2026-06-01T12:00:00Z");
const hour = 3_600_000;
const at = (ms: number) => new Date(ms).toUTCString();

/** Clocks that only tests move. */
function handMade() {
  const time = { wall: noon, monotonic: 5_000 };
  const clock = new CozeClock({ wall: () => time.wall, monotonic: () => time.monotonic });
  return { time, clock };
}

t.test("before Coze has said anything it is our own wall clock", async (t) => {
  const { time, clock } = handMade();
  t.equal(clock.now(), noon);
  time.wall += 10;
  t.equal(clock.now(), noon + 10);
});

t.test("then it is Coze's, and no jump of ours moves it", async (t) => {
  for (const jump of [hour, -hour, 0]) {
    const { time, clock } = handMade();
    clock.note(at(noon + 2 * hour));
    time.monotonic += 700;
    time.wall += 700 + jump;
    t.equal(clock.now(), noon + 2 * hour + 700);
    clock.note(at(noon - hour));
    t.equal(clock.now(), noon - hour, "the last word counts");
  }
});

t.test("what is no time, or none that can be meant, is passed over", async (t) => {
  const { clock } = handMade();
  clock.note(at(noon + 1000));
  for (const header of [
    undefined,
    "",
    "soon",
    ["a", "b"],
    7,
    at(0),
    at(noon + 25 * hour),
    at(noon - 25 * hour),
  ]) {
    clock.note(header);
    t.equal(clock.now(), noon + 1000, String(header));
  }
});

t.test("the clocks of the machine", async (t) => {
  const [wall, monotonic] = [Date.now(), performance.now()];
  t.ok(realClocks.wall() - wall >= 0);
  t.ok(realClocks.monotonic() - monotonic >= 0);
});
