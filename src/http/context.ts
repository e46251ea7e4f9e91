import { randomUUID } from "node:crypto";
import type { IncomingMessage } from "node:http";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { AuthenticationError } from "../callers/authenticate.ts";
import type { Rule } from "../callers/grants.ts";
import type { Credential } from "../callers/policy.ts";
import type { RateVerdict } from "../callers/rate-limit/verdict.ts";
import type { CallResult } from "../coze/call-result.ts";
import { GatewayError, type GatewayErrorName, type Outcome } from "../errors.ts";
import type { Action, RateClass } from "../operation.ts";
import { redactCredentials } from "../telemetry/logger.ts";

/** One use of a caller's rate limit. */
export interface RateUse {
  readonly rateClass: RateClass;
  readonly verdict: RateVerdict;
}

declare module "fastify" {
  interface FastifyRequest {
    /** Arrival, on the clock of `performance.now()`. */
    startedAt: number;
    /** The other end of the connection; kept, as Node forgets it when the connection ends. */
    remoteAddress: string;
    /** Who calls, and by which key; undefined until that is proved. */
    credential: Credential | undefined;
    /** Version of the callers file that it was held against. */
    policyVersion: string | undefined;
    /** What was left of the caller's limit. */
    rate: RateUse | undefined;
    /** The grants that let the request pass; none where none is needed. */
    rules: readonly Rule[];
    /** Why the credential was refused. */
    refused: AuthenticationError | undefined;
    /** Why the credential could not be checked, for the log. */
    problem: string | undefined;
    /** The forwarded call, once it is over. */
    call: CallResult | undefined;
    /** The error that was answered, and what was said of the outcome of a change. */
    failure: GatewayErrorName | undefined;
    outcome: Outcome | undefined;
    /** What Node found wrong with the request while its body was still to come; it was answered with this. */
    brokenBy: GatewayErrorName | undefined;
  }
  interface FastifyContextConfig {
    /** What the route does; log, metrics, audit and permission read it from here. */
    operation?: Action;
  }
}

/** Longer targets get 414; Node itself ends a request whose head is over 16 KiB with 431. */
const maxTargetLength = 4096;
const requestIdPattern = /^[A-Za-z0-9._-]{1,128}$/;

/** Takes the caller's request id when it is well-formed and no credential in disguise, else makes one. */
export function requestId(request: IncomingMessage): string {
  const given = request.headers["x-request-id"];
  const usable =
    typeof given === "string" && requestIdPattern.test(given) && redactCredentials(given) === given;
  return usable ? given : randomUUID();
}

/**
 * Who calls, once the guard has let the request pass.
 * @throws {GatewayError} internal, on a route that has no guard.
 */
export function credentialOf({ credential }: FastifyRequest): Credential {
  if (credential) return credential;
  throw new GatewayError("internal");
}

/** Headers that every reply carries, made from the request id. */
export function commonHeaders(id: string): Record<string, string> {
  return { "x-request-id": id, "cache-control": "no-store", "x-content-type-options": "nosniff" };
}

/** Puts arrival time, request id and common headers in place before anything else looks at the request. */
export function addContext(app: FastifyInstance): void {
  app.decorateRequest("startedAt", 0);
  app.decorateRequest("remoteAddress", "");
  app.decorateRequest("credential", undefined);
  app.decorateRequest("policyVersion", undefined);
  app.decorateRequest("rate", undefined);
  app.decorateRequest("rules");
  app.decorateRequest("refused", undefined);
  app.decorateRequest("problem", undefined);
  app.decorateRequest("call", undefined);
  app.decorateRequest("failure", undefined);
  app.decorateRequest("outcome", undefined);
  app.decorateRequest("brokenBy", undefined);
  app.addHook("onRequest", async (request: FastifyRequest, reply: FastifyReply) => {
    request.startedAt = performance.now();
    request.remoteAddress = request.ip;
    request.rules = [];
    reply.headers(commonHeaders(request.id));
    const target = request.url;
    if (target.length > maxTargetLength) throw new GatewayError("uri_too_long");
    if (!target.startsWith("/"))
      throw new GatewayError("malformed_http", { message: "Send the path alone as target." });
    if (request.raw.httpVersion !== "1.0" && request.raw.headersDistinct["host"]?.length !== 1) {
      throw new GatewayError("malformed_http", { message: "HTTP/1.1 needs one Host header." });
    }
  });
}
