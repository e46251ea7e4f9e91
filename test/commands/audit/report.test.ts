import t from "tap";
import type { VerifyReport } from "../../../src/audit/verify/verify.ts";
import { many, reportOf } from "../../../src/commands/audit/report.ts";

const whole: VerifyReport = {
  anchors: 0,
  streams: 3,
  records: 1_234_567,
  stopped: 2,
  unreadableLines: 0,
  unfinished: { count: 0, first: [] },
  prunings: [],
  faults: [],
};

t.test("a whole trail", async (t) => {
  t.equal(
    reportOf(whole),
    `Checked 1,234,567 records in 3 streams; 2 of them ended with a stop.
Without --anchors it cannot be seen that the newest records were cut off, or all made anew.
The trail is whole.
`,
  );
});

t.test("with anchors, attempts without an outcome and prunings", async (t) => {
  t.equal(
    reportOf({
      ...whole,
      anchors: 1,
      unreadableLines: 2,
      unfinished: { count: 7, first: ["a.1:1", "a.1:2"] },
      prunings: [
        { id: "c.3:13", months: ["2027-01", "2027-02"], anchored: true },
        { id: "c.3:99", months: ["2027-03"], anchored: false },
      ],
    }),
    `Checked 1,234,567 records in 3 streams; 2 of them ended with a stop.
Compared with 1 anchor.
2 anchor lines could not be read.
7 attempts without an outcome, maybe under way: a.1:1, a.1:2, ...
Relies on c.3:13, which removed 2027-01, 2027-02; an anchor names it.
Relies on c.3:99, which removed 2027-03; no anchor names it.
The trail is whole.
`,
  );
  t.match(
    reportOf({ ...whole, unreadableLines: 1 }),
    "Compared with 0 anchors.\n1 anchor line could not be read.\n",
  );
  t.match(
    reportOf({ ...whole, unfinished: { count: 1, first: ["a.1:1"] } }),
    "1 attempt without an outcome, maybe under way: a.1:1\n",
  );
});

t.test("faults, each with its first record; nothing in a name acts on the terminal", async (t) => {
  const text = reportOf({
    ...whole,
    faults: [
      { kind: "damaged", count: 1, first: { what: "page 7\u001b[2J is gone" } },
      { kind: "altered", count: 12, first: { id: "a.1\n:2", position: 7, what: "its text is not its own" } },
      { kind: "cut", count: 1, first: { id: "b.1:9", what: "it is not there" } },
    ],
  });
  t.equal(
    text.slice(text.indexOf("FAULT")),
    `FAULT damaged, once:
  page 7\\u001b[2J is gone
FAULT altered, 12 times, first:
  a.1\\u000a:2 (position 7): its text is not its own
FAULT cut, once:
  b.1:9: it is not there
`,
  );
  t.notMatch(text, "whole");
});

t.test("numbers", async (t) => {
  t.equal(many(0, "record"), "0 records");
  t.equal(many(1, "record"), "1 record");
  t.equal(many(12_345, "record"), "12,345 records");
});
