import * as z from "zod";
import { auditRecord } from "../../audit/record.ts";
import type { JsonSchema } from "../../operation.ts";

const event: JsonSchema = {
  $id: "AuditEvent",
  type: "object",
  required: ["id", "hash", "position", "intact", "record"],
  properties: {
    id: { type: "string", description: "`<stream>:<seq>` of the record: the same in every store." },
    hash: { type: "string", description: "SHA-256 of the record's text, as stored beside it." },
    position: { type: "integer", description: "Order of storing, over all streams." },
    intact: {
      type: "boolean",
      description:
        "Whether text and hash still fit. If not, the record was edited and nothing in it can be trusted.",
    },
    record: {
      anyOf: [{ $ref: "AuditRecord#" }, { type: "null" }],
      description: "The record, byte for byte as it was hashed (RFC 8785); null when it is no JSON any more.",
    },
    text: { type: "string", description: "What is stored in place of a record that is no JSON any more." },
  },
};

/** What the routes refer to by id; the app has to know them. */
export const auditSchemas: readonly JsonSchema[] = [
  { $id: "AuditRecord", ...(z.toJSONSchema(auditRecord) as JsonSchema) },
  event,
];
