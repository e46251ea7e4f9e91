import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { nameOf } from "../callers/grants.ts";
import { isApiAppId } from "../operations/schemas.ts";
import type { Metrics } from "../telemetry/metrics.ts";

/**
 * Writes one line for each request that was answered or given up by its caller. Fastify calls `onResponse` only for
 * the first kind; for the second the line waits until the handler is through, as a change goes on without its caller.
 */
export function addRequestLog(app: FastifyInstance, metrics: Metrics): void {
  const answered = new WeakSet<FastifyRequest>();
  app.addHook("onResponse", async (request, reply) => finish(request, reply, metrics, false));
  app.addHook("onSend", async (request, reply) => {
    // Errors thrown later in this phase send a second time; the line is written once.
    if (answered.has(request)) return;
    answered.add(request);
    // Destroyed is a reply whose connection is gone already; `onRequestAbort` can come later than this, or never.
    if (reply.raw.destroyed) finish(request, reply, metrics, true);
    else reply.raw.once("close", () => !reply.raw.writableFinished && finish(request, reply, metrics, true));
  });
}

function finish(request: FastifyRequest, reply: FastifyReply, metrics: Metrics, aborted: boolean): void {
  const { operation } = request.routeOptions.config;
  const label = operation?.id ?? "other";
  const ms = performance.now() - request.startedAt;
  // A read whose caller is gone was given up by us: no failure of anybody, and nothing to wake an operator for.
  const givenUp = request.call?.stopped === "caller_gone";
  const error = givenUp ? undefined : request.failure;
  metrics.requests.inc({ operation: label, error: givenUp ? "caller_gone" : (error ?? "none") });
  metrics.requestSeconds.observe({ operation: label }, ms / 1000);
  const line = {
    event: "request",
    remote_address: request.remoteAddress,
    caller: request.credential?.caller.id ?? request.refused?.callerId,
    auth_method: request.credential?.kind,
    credential_id: request.credential?.id,
    policy_version: request.policyVersion,
    rule: nameOf(request.rules) || undefined,
    refusal: request.refused?.refusal,
    problem: request.problem,
    operation: operation?.id,
    method: operation ? undefined : request.method,
    route: operation ? undefined : request.routeOptions.url,
    api_app_id: safeAppId(request),
    status: reply.statusCode,
    error,
    outcome: request.outcome,
    stopped: request.call?.stopped,
    aborted: aborted || undefined,
    duration_ms: Math.round(ms * 10) / 10,
    attempts: request.call?.attempts,
    logid: request.call?.last?.logid,
  };
  // Anybody can bring this about while an issuer is away, which has an error of its own in the log.
  const expected = error === undefined || error === "authentication_unavailable";
  const level = expected || reply.statusCode < 500 ? "info" : "error";
  request.log[level](line, `${operation?.id ?? request.method} ${reply.statusCode}`);
}

/** Only an id that passed the rules; anything else of a path is the caller's own text and stays out of the log. */
function safeAppId(request: FastifyRequest): string | undefined {
  const { api_app_id } = request.params as { api_app_id?: string };
  return isApiAppId(api_app_id) ? api_app_id : undefined;
}
