import { auditKinds, auditOutcomes } from "../../audit/record.ts";
import type { JsonSchema } from "../../operation.ts";
import { apiAppId } from "../../operations/schemas.ts";
import { defaultPageSize, mostPageSize } from "./query.ts";

const word = { type: "string", pattern: "^[A-Za-z0-9_.-]{1,128}$" } as const;
const time = {
  type: "string",
  pattern: "^\\d{4}-\\d\\d-\\d\\d(T\\d\\d:\\d\\d:\\d\\d(\\.\\d{1,9})?(Z|[+-]\\d\\d:\\d\\d))?$",
} as const;
const timeForm = "ISO 8601 with Z or an offset, whose + is written %2B, or a date: its midnight in UTC";

/** The query of the list: what passes here cannot forge a line, a header or a query of the store. */
export const auditQuery: JsonSchema = {
  type: "object",
  additionalProperties: false,
  properties: {
    from: {
      ...time,
      description: `Only from this time on. ${timeForm}.`,
      examples: ["2027-03-10T12:00:00Z"],
    },
    to: { ...time, description: `Only before this time. ${timeForm}.`, examples: ["2027-03-11"] },
    caller: { ...word, description: "Id of the caller in the callers file.", examples: ["billing"] },
    credential_id: {
      ...word,
      description: "`credential_id` of records: what was done with this key.",
      examples: ["d18fb7e235ee0b0f"],
    },
    operation: { ...word, description: "What was asked for.", examples: ["delete_api_app"] },
    api_app_id: apiAppId,
    outcome: {
      type: "string",
      enum: [...auditOutcomes],
      description: "How it ended.",
      examples: ["unknown"],
    },
    kind: { type: "string", enum: [...auditKinds], description: "Kind of record.", examples: ["outcome"] },
    logid: {
      ...word,
      description: "Coze's logid of any attempt.",
      examples: ["20270310120000A1B2C3D4E5F60718293A"],
    },
    request_id: {
      ...word,
      description: "`x-request-id` of the request.",
      examples: ["0b6f6a1e-6d0c-4c9d-8a52-3f1d8d6f7b10"],
    },
    order: {
      type: "string",
      enum: ["newest_first", "oldest_first"],
      default: "newest_first",
      description: "By time of storing.",
    },
    page_size: {
      type: "integer",
      minimum: 1,
      maximum: mostPageSize,
      default: defaultPageSize,
      description: "Records on a page.",
    },
    page_token: {
      type: "string",
      maxLength: 128,
      description:
        "Opaque `next_page_token` of the page before, with the same filters and order; empty for the first.",
    },
  },
};
