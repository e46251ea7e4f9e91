import { Ajv2020 } from "ajv/dist/2020.js";
import formats from "ajv-formats";
import t from "tap";
import { auditRecord } from "../../../src/audit/record.ts";
import { auditSchemas } from "../../../src/http/audit/event-schema.ts";
import { auditEventExample } from "../../../src/http/audit/example.ts";

t.test("what is published of a record refuses what the code refuses", async (t) => {
  const ajv = new Ajv2020({ strict: false });
  formats.default(ajv);
  for (const schema of auditSchemas) ajv.addSchema(schema);
  const validate = ajv.getSchema("AuditEvent");
  const record = auditEventExample["record"] as Record<string, unknown>;
  t.ok(validate?.(auditEventExample));
  t.ok(validate?.({ ...auditEventExample, intact: false, record: null, text: "no JSON" }));
  for (const change of [
    { v: 2 },
    { seq: 0 },
    { caller: "two\nlines" },
    { verify_token: "secret" },
    { time: "yesterday" },
    { kind: "other" },
    { prev_hash: "0" },
  ]) {
    const changed = { ...record, ...change };
    t.notOk(auditRecord.safeParse(changed).success, JSON.stringify(change));
    t.notOk(validate?.({ ...auditEventExample, record: changed }), JSON.stringify(change));
  }
});

t.test("they have the names by which the routes refer to them", async (t) => {
  t.strictSame(
    auditSchemas.map(({ $id }) => $id),
    ["AuditRecord", "AuditEvent"],
  );
});
