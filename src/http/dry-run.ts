import type { FastifyRequest } from "fastify";
import { nameOf } from "../callers/grants.ts";
import type { Credential } from "../callers/policy.ts";
import type { ExchangeRequest } from "../coze/exchange.ts";
import type { JsonSchema, Operation } from "../operation.ts";
import { redactCredentials } from "../telemetry/logger.ts";
import { envelope } from "./envelope.ts";

/** The header that asks for it. Any other value is refused: a change must not be made because of a slip. */
export const dryRunHeader = "x-gateway-dry-run";

/** Schema of that header. */
export const dryRunSchema: JsonSchema = {
  type: "string",
  enum: ["true", "false"],
  description:
    "`true`: say what would happen and send nothing to Coze. `data` then has `decision` (`allow`), `rule` (the grants that " +
    "allow it), `policy_version` and `would_send` (method, url, headers without the token, body). What would be refused " +
    "is refused in the same way.",
};

/** Whether the request asks only what would happen; validation has refused every other value. */
export function isDryRun(request: FastifyRequest): boolean {
  return request.headers[dryRunHeader] === "true";
}

/**
 * The body of the answer: the decision, and the request that Coze would get, without the token.
 * @param origin of Coze.
 */
export function dryRunReply(
  operation: Operation,
  request: FastifyRequest,
  { caller }: Credential,
  would: ExchangeRequest,
  origin: string,
): string {
  const data = {
    dry_run: true,
    decision: "allow",
    caller: caller.id,
    operation: operation.id,
    rule: nameOf(request.rules),
    policy_version: request.policyVersion,
    would_send: {
      method: would.method,
      url: origin + would.target,
      headers: { authorization: "Bearer [redacted]", ...would.headers },
      ...(would.body !== undefined && { body: JSON.parse(redactCredentials(would.body)) }),
    },
  };
  return envelope(JSON.stringify(data));
}
