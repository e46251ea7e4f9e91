import t from "tap";
import { progressTo } from "../../../src/commands/audit/progress.ts";
import { terminal } from "../files.ts";

t.test("a line every three seconds for a person at a terminal", async (t) => {
  const { printed, ...rest } = terminal();
  let now = 1_000;
  const tell = progressTo({ ...rest, isTTY: true }, () => now);
  const at = (ms: number, records: number) => {
    now = ms;
    tell({ anchors: 1, streams: 1, records });
  };
  at(3_999, 10);
  t.equal(printed(), "");
  at(4_000, 1_234_567);
  at(6_999, 2_000_000);
  t.equal(printed(), "... 1 anchor, 1,234,567 records\n");
  at(7_000, 3_000_000);
  t.match(printed(), /\n\.\.\. 1 anchor, 3,000,000 records\n$/);
});

t.test("nothing for a program", async (t) => {
  const { printed, ...rest } = terminal();
  let now = 0;
  const tell = progressTo(rest, () => (now += 10_000));
  tell({ anchors: 0, streams: 1, records: 1 });
  t.equal(printed(), "");
});

t.test("by the clock of the process otherwise", async (t) => {
  const { printed, ...rest } = terminal();
  progressTo({ ...rest, isTTY: true })({ anchors: 0, streams: 1, records: 1 });
  t.equal(printed(), "");
});
