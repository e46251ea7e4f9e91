import t from "tap";
import { hashOf } from "../../src/audit/chain.ts";
import { recordIn } from "../../src/audit/stored-record.ts";
import { Trail } from "./rows.ts";

const row = new Trail("a.1").next();
const sealed = (text: string) => ({ text, hash: hashOf(text) });

t.test("the record of a row that is as it was written", async (t) => {
  t.match(recordIn(row), { v: 1, stream: "a.1", seq: 1, kind: "alive" });
});

t.test("nothing of one that was edited, is no record, or no JSON", async (t) => {
  t.equal(recordIn({ ...row, text: row.text.replace("alive", "stopped") }), undefined);
  t.equal(recordIn(sealed(row.text.replace('"v":1', '"v":2'))), undefined);
  t.equal(recordIn(sealed("{")), undefined);
});
