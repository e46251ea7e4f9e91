import type { FastifySchema } from "fastify";
import type { Action, Json, JsonSchema } from "../../operation.ts";
import { page } from "../../operations/schemas.ts";
import { failureReplies } from "../route-schema.ts";
import { ndjson } from "./accept.ts";
import { getAuditEvent, listAuditEvents } from "./actions.ts";
import { auditEventExample } from "./example.ts";
import { auditQuery } from "./query-schema.ts";

const requestHeaders: JsonSchema = {
  type: "object",
  properties: {
    "x-request-id": {
      type: "string",
      description: "Your own id for this request: up to 128 of A-Z a-z 0-9 . _ -; anything else is replaced.",
    },
  },
};

const requestIdHeader = { type: "string", description: "Id of this request in the gateway's log and trail." };

/** A JSON reply in Coze's envelope. */
function enveloped(data: JsonSchema, example: Json): Json {
  return {
    schema: {
      type: "object",
      required: ["code", "msg", "data"],
      properties: {
        code: { type: "integer", const: 0 },
        msg: { type: "string" },
        data,
        detail: { type: "object", properties: { logid: { type: "string" } } },
      },
    },
    examples: { success: { value: { code: 0, msg: "", data: example, detail: { logid: "" } } } },
  };
}

function describe({ id, permission }: Action, summary: string, description: string): FastifySchema {
  return {
    operationId: id,
    summary,
    description: `${description}\n\nPermission: \`${permission}\`, on all apps. Reading the trail is itself recorded in it.`,
    tags: ["audit"],
    headers: requestHeaders,
  };
}

/** Fastify's schema of the list and its export: validates the request, and its entry in the OpenAPI document. */
export const listSchema: FastifySchema = {
  ...describe(
    listAuditEvents,
    "List or export audit records",
    "Records that match every parameter given, page by page. `next_page_token` is absent on the last page; with " +
      "`order=oldest_first` it is always there, and asking with it again later goes on with what was written since.\n\n" +
      `With \`Accept: ${ndjson}\` it answers everything that matches and is stored when the export begins, oldest ` +
      "first, one record a line, without pages. A reply that ends well is whole: an export that fails half way " +
      "breaks the connection.",
  ),
  querystring: auditQuery,
  response: {
    200: {
      description: "The records.",
      headers: { "x-request-id": requestIdHeader, vary: { type: "string", description: "Accept" } },
      content: {
        "application/json": enveloped(page({ $ref: "AuditEvent#" }), {
          items: [auditEventExample],
          has_more: true,
          next_page_token: "Mi5oZ1Z3d0ZzQ0ZxT2p5bUJ5Q0xhS2Rn",
        }),
        [ndjson]: {
          schema: { $ref: "AuditEvent#" },
          examples: { line: { value: auditEventExample, summary: "One line of many" } },
        },
      },
    },
    ...failureReplies(),
  },
};

/** Fastify's schema of the route of one record. */
export const getSchema: FastifySchema = {
  ...describe(
    getAuditEvent,
    "Get one audit record",
    "The record of this id, and in `related` the ids of up to 20 others of the same request: from an attempt to its " +
      "outcome and back.",
  ),
  params: {
    type: "object",
    required: ["id"],
    properties: {
      id: {
        type: "string",
        description: "`id` of the record.",
        examples: [auditEventExample["id"] as string],
      },
    },
  },
  querystring: { type: "object", additionalProperties: false, properties: {} },
  response: {
    200: {
      description: "The record.",
      headers: { "x-request-id": requestIdHeader },
      content: {
        "application/json": enveloped(
          {
            type: "object",
            allOf: [{ $ref: "AuditEvent#" }],
            required: ["related"],
            properties: {
              related: {
                type: "array",
                items: { type: "string" },
                description: "Ids of other records of the same request.",
              },
            },
          },
          { ...auditEventExample, related: ["coze-gateway-0.5f0c2a9d7be14c36:2"] },
        ),
      },
    },
    ...failureReplies(),
  },
};
