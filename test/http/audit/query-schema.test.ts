import { Ajv2020 } from "ajv/dist/2020.js";
import t from "tap";
import * as z from "zod";
import { auditRecord } from "../../../src/audit/record.ts";
import { auditQuery } from "../../../src/http/audit/query-schema.ts";

interface Property {
  readonly pattern?: string;
  readonly enum?: readonly string[];
}
const asked = auditQuery["properties"] as Readonly<Record<string, Property>>;
const recorded = z.toJSONSchema(auditRecord).properties as unknown as Readonly<Record<string, Property>>;

t.test("whatever a record can hold can be asked for, and nothing else", async (t) => {
  for (const name of ["caller", "credential_id", "operation", "api_app_id", "request_id"]) {
    t.ok(asked[name]?.pattern);
    t.equal(asked[name]?.pattern, recorded[name]?.pattern, name);
  }
  t.equal(asked["logid"]?.pattern, recorded["request_id"]?.pattern, "logid is a word as all others");
  for (const name of ["kind", "outcome"]) t.strictSame(asked[name]?.enum, recorded[name]?.enum, name);
});

t.test("every pattern holds from end to end", async (t) => {
  for (const [name, { pattern }] of Object.entries(asked)) {
    if (pattern !== undefined) t.match(pattern, /^\^.*\$$/, name);
  }
});

t.test("times", async (t) => {
  const ajv = new Ajv2020({ strict: false });
  const validate = ajv.compile(auditQuery);
  for (const from of [
    "2027-03-10",
    "2027-03-10T12:00:00Z",
    "2027-03-10T12:00:00.5Z",
    "2027-03-10T12:00:00.123456789+08:00",
    "2027-03-10T12:00:00-11:30",
  ]) {
    t.ok(validate({ from }), from);
    t.ok(validate({ to: from }), from);
  }
  for (const from of [
    "",
    "2027",
    "2027-03",
    "20270310",
    "27-03-10",
    "+002027-03-10",
    "2027-03-10T12:00:00",
    "2027-03-10T12:00Z",
    "2027-03-10 12:00:00Z",
    "2027-03-10T12:00:00 08:00",
    "2027-03-10t12:00:00z",
    "2027-03-10T12:00:00.Z",
    "2027-03-10T12:00:00.1234567890Z",
    "2027-03-10T12:00:00Z\n",
    "1804680000000",
    "yesterday",
    "Wed, 10 Mar 2027 12:00:00 GMT",
    "\u0662027-03-10",
  ]) {
    t.notOk(validate({ from }), encodeURI(from));
    t.notOk(validate({ to: from }), encodeURI(from));
  }
});
