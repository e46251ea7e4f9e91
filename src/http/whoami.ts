import type { FastifyInstance } from "fastify";
import type { Caller } from "../callers/callers-file.ts";
import { explain, type Intent } from "../callers/explain.ts";
import { nameOf, type Rule, rulesFor } from "../callers/grants.ts";
import type { Credential } from "../callers/policy.ts";
import { GatewayError } from "../errors.ts";
import type { Action, JsonSchema, Operation } from "../operation.ts";
import { operations } from "../operations/registry.ts";
import { apiAppId, appType, eventTypePattern } from "../operations/schemas.ts";
import { credentialOf } from "./context.ts";
import { envelope } from "./envelope.ts";
import { type Gate, guard } from "./guard.ts";
import { failureReplies } from "./route-schema.ts";

/** Asks the gateway who it takes the caller for. Every known caller may. */
export const whoami: Action = { id: "whoami", permission: "none", idempotency: "safe", reach: "no_app" };

type Query = Intent & { readonly operation?: string };

const query: JsonSchema = {
  type: "object",
  additionalProperties: false,
  properties: {
    operation: {
      type: "string",
      enum: operations.map(({ id }) => id),
      description: "Adds `decision`: whether this operation would be allowed.",
    },
    api_app_id: { ...apiAppId, description: "The app that the operation would be on." },
    app_type: appType,
    event_type: { type: "string", maxLength: 128, pattern: eventTypePattern },
  },
};

const text: JsonSchema = { type: "string" };
const texts: JsonSchema = { type: "array", items: text };

const data: JsonSchema = {
  type: "object",
  required: ["caller", "credential", "policy_version", "grants", "operations", "rate_limits"],
  properties: {
    caller: text,
    credential: {
      type: "object",
      required: ["kind", "id"],
      properties: {
        kind: { type: "string", enum: ["key", "jwt"] },
        id: { type: "string", description: "Stands for the credential in the audit trail." },
        subject: { type: "string", description: "Of a JWT." },
        expires_at: { type: "string", format: "date-time" },
      },
    },
    policy_version: { type: "string", description: "Version of the callers file in force." },
    grants: {
      type: "array",
      items: {
        type: "object",
        required: ["rule", "permissions", "api_app_ids"],
        properties: {
          rule: text,
          permissions: texts,
          api_app_ids: { anyOf: [{ type: "string", enum: ["all", "own"] }, texts] },
          app_types: texts,
          event_types: texts,
        },
      },
    },
    operations: {
      type: "array",
      description: "What the grants allow on some app at least.",
      items: { type: "object", required: ["operation", "rule"], properties: { operation: text, rule: text } },
    },
    rate_limits: { type: "object", properties: { read: text, write: text, destructive: text } },
    decision: {
      type: "object",
      required: ["operation", "allowed"],
      properties: {
        operation: text,
        allowed: { type: "boolean" },
        rule: { type: "string", description: "The grants that allow it." },
        reason: { type: "string", description: "Why it is not allowed." },
      },
    },
  },
};

const schema = {
  operationId: whoami.id,
  summary: "Say who is calling and what that caller may do",
  description:
    "Answers with the caller, its credential (never the key), grants and limits. With `operation`, and `api_app_id` where " +
    "it is on an app, it says whether that would be allowed and by which grant. Every known caller may ask.",
  tags: ["gateway"],
  querystring: query,
  response: {
    200: {
      description: "Who is calling.",
      content: {
        "application/json": {
          schema: {
            type: "object",
            required: ["code", "msg", "data"],
            properties: { code: { type: "integer", const: 0 }, msg: text, data },
          },
        },
      },
    },
    ...failureReplies(),
  },
};

/** Adds `GET /gateway/v1/whoami`. */
export function addWhoami(app: FastifyInstance, gate: Gate): void {
  app.route<{ Querystring: Query }>({
    method: "GET",
    url: "/gateway/v1/whoami",
    config: { operation: whoami },
    schema,
    onRequest: guard(whoami, gate),
    handler: async (request, reply) => {
      const credential = credentialOf(request);
      const { query: asked, policyVersion } = request;
      const operation = operations.find(({ id }) => id === asked.operation);
      if (operation?.reach === "one_app" && asked.api_app_id === undefined)
        throw new GatewayError("invalid_request", {
          issues: [{ path: "query.api_app_id", message: `is required with ${operation.id}` }],
        });
      const decision = operation && (await explain(credential.caller, operation, asked, gate.ownersOf));
      const data = { ...describe(credential, gate), policy_version: policyVersion, decision };
      return reply.type("application/json; charset=utf-8").send(envelope(JSON.stringify(data)));
    },
  });
}

/** The grants that can let an operation pass on some app; none names an app that is yet to be made. */
function possibleRules(caller: Caller, operation: Operation): Rule[] {
  const { reach } = operation;
  return rulesFor(caller, operation).filter(
    ({ grant }) => reach !== "new_app" || !Array.isArray(grant.api_app_ids),
  );
}

function describe({ caller, kind, id, subject, expiresAt }: Credential, { rates }: Gate) {
  const limits = { ...rates, ...caller.rate_limits };
  return {
    caller: caller.id,
    credential: {
      kind,
      id,
      subject,
      expires_at: Number.isFinite(expiresAt) ? new Date(expiresAt).toISOString() : undefined,
    },
    grants: caller.grants.map((grant, index) => ({ rule: `grants[${index}]`, ...grant })),
    operations: operations
      .map((operation) => ({ operation: operation.id, rule: nameOf(possibleRules(caller, operation)) }))
      .filter(({ rule }) => rule !== ""),
    rate_limits: {
      read: String(limits.read),
      write: String(limits.write),
      destructive: String(limits.destructive),
    },
  };
}
