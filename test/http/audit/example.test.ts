import canonicalize from "canonicalize";
import t from "tap";
import { hashOf } from "../../../src/audit/chain.ts";
import { auditRecord } from "../../../src/audit/record.ts";
import { auditEventExample } from "../../../src/http/audit/example.ts";

t.test("the example is a record that whoever reads it can check", async (t) => {
  const { id, hash, intact, record } = auditEventExample;
  const parsed = auditRecord.parse(record);
  t.equal(hashOf(canonicalize(parsed) ?? ""), hash);
  t.equal(intact, true);
  t.equal(id, `${parsed.stream}:${parsed.seq}`);
});
