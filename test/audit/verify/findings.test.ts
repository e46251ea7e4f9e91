import t from "tap";
import { Findings, faultKinds } from "../../../src/audit/verify/findings.ts";

t.test("each kind is counted, and its first finding kept", async (t) => {
  const findings = new Findings();
  t.strictSame(findings.list(), []);
  const first = { id: "a.1:2", position: 7, what: "no" };
  findings.add("unlinked", first);
  findings.add("unlinked", { what: "no" });
  findings.add("altered", { id: "b.1:1", what: "changed" });
  t.strictSame(findings.list(), [
    { kind: "altered", count: 1, first: { id: "b.1:1", what: "changed" } },
    { kind: "unlinked", count: 2, first },
  ]);
});

t.test("they are listed in the order of kinds, whatever was found first", async (t) => {
  const findings = new Findings();
  for (const kind of faultKinds.toReversed()) findings.add(kind, { what: kind });
  t.strictSame(
    findings.list().map(({ kind }) => kind),
    [...faultKinds],
  );
});
