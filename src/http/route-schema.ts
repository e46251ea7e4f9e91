import type { FastifySchema } from "fastify";
import { stopReasons } from "../coze/retry-policy.ts";
import { type GatewayErrorName, gatewayErrors } from "../errors.ts";
import { isMutating, type Json, type JsonSchema, type Operation } from "../operation.ts";
import { dryRunHeader, dryRunSchema } from "./dry-run.ts";
import { errorReplyExample } from "./error-reply.ts";

const logid = "20260311094512A1B2C3D4E5F60718293A";

const requestHeaders: JsonSchema = {
  type: "object",
  properties: {
    "x-gateway-timeout-ms": {
      type: "integer",
      minimum: 1,
      maximum: 999_999_999,
      description: "Shortens the time for the whole request, in ms. It cannot lengthen it.",
    },
    [dryRunHeader]: dryRunSchema,
    "x-request-id": {
      type: "string",
      description: "Your own id for this request: up to 128 of A-Z a-z 0-9 . _ -; anything else is replaced.",
    },
  },
};

const replyHeaders = {
  "x-request-id": { type: "string", description: "Id of this request in the gateway's log." },
  "x-tt-logid": { type: "string", description: "Coze's logid of the last attempt, when Coze gave one." },
  "ratelimit-policy": { type: "string", description: "The caller's limit for this class of requests." },
  ratelimit: { type: "string", description: "What is left of it, and for how long." },
  "x-gateway-attempts": { type: "integer", description: "Attempts made at Coze." },
} as const satisfies JsonSchema;

/** Schema of every error reply; routes refer to it by its id, so the app has to know it. */
export const failure: JsonSchema = {
  $id: "Failure",
  type: "object",
  required: ["code", "msg", "detail", "gateway"],
  properties: {
    code: { type: "integer", description: "Coze's own code, or the gateway's: HTTP status x 1000 + n." },
    msg: { type: "string" },
    detail: { type: "object", properties: { logid: { type: "string" } } },
    gateway: {
      type: "object",
      required: ["error", "request_id", "attempts"],
      properties: {
        error: { type: "string", enum: Object.keys(gatewayErrors), description: "Stable word to branch on." },
        request_id: { type: "string" },
        attempts: { type: "integer" },
        stopped: {
          type: "string",
          enum: [...stopReasons],
          description: "Why no further attempt was made.",
        },
        outcome: {
          type: "string",
          enum: ["not_sent", "refused", "unknown"],
          description: "What is known about a change that did not succeed.",
        },
        issues: {
          type: "array",
          items: { type: "object", properties: { path: { type: "string" }, message: { type: "string" } } },
        },
      },
    },
  },
};

/** Without a schema any parameter would pass, and travel on to Coze. */
const noQuery: JsonSchema = { type: "object", additionalProperties: false, properties: {} };

/** Fastify's schema of an operation's route: validates the request and becomes its entry in the OpenAPI document. */
export function routeSchema(operation: Operation): FastifySchema {
  const { params, query, body, examples } = operation;
  return {
    operationId: operation.id,
    summary: operation.summary,
    description:
      `${operation.description}\n\nPermission: \`${operation.permission}\`. ` +
      `Retry class: ${operation.idempotency}${isMutating(operation) ? "" : " (changes nothing)"}.`,
    tags: ["callback apps"],
    externalDocs: { url: `https://www.coze.cn/open/docs/developer_guides/${operation.source}` },
    headers: requestHeaders,
    ...(params && { params }),
    querystring: query ?? noQuery,
    ...(body && { body: { ...body, ...(examples.body !== undefined && { examples: [examples.body] }) } }),
    response: { 200: successReply(operation), ...failureReplies() },
  };
}

function successReply({ data, examples }: Operation): Json {
  const example = {
    code: 0,
    msg: "",
    ...(examples.data !== undefined && { data: examples.data }),
    detail: { logid },
  };
  return {
    description: "Coze did it. The body is Coze's own, byte for byte, but for what the caller may not see.",
    headers: replyHeaders,
    content: {
      "application/json": {
        schema: {
          type: "object",
          required: ["code", "msg"],
          properties: {
            code: { type: "integer", const: 0 },
            msg: { type: "string" },
            ...(data && { data }),
            detail: { type: "object", properties: { logid: { type: "string" } } },
          },
        },
        examples: { success: { value: example } },
      },
    },
  };
}

/** Every reply of the error table, one example for each word, under its HTTP status. */
export function failureReplies(): Record<number, Json> {
  const words = Object.keys(gatewayErrors) as GatewayErrorName[];
  const statuses = [...new Set(words.map((word) => gatewayErrors[word].status))];
  return Object.fromEntries(statuses.map((status) => [status, failureReply(words, status)]));
}

function failureReply(words: readonly GatewayErrorName[], status: number): Json {
  const here = words.filter((word) => gatewayErrors[word].status === status);
  const retryAfter = here.some((word) => "retryAfterS" in gatewayErrors[word]);
  return {
    description: here.map((word) => `\`${word}\`: ${gatewayErrors[word].message}`).join("\n\n"),
    headers: {
      ...replyHeaders,
      ...(retryAfter && {
        "retry-after": { type: "integer", description: "Seconds to wait before a repeat." },
      }),
      ...(status === 401 && { "www-authenticate": { type: "string", description: "Bearer (RFC 6750)." } }),
    },
    content: {
      "application/json": {
        schema: { $ref: "Failure#" },
        examples: Object.fromEntries(here.map((word) => [word, { value: errorReplyExample(word) }])),
      },
    },
  };
}
