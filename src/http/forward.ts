import type { FastifyReply, FastifyRequest, RouteHandlerMethod } from "fastify";
import type { AuditTrail } from "../audit/trail.ts";
import { authorizeInput } from "../callers/authorize.ts";
import type { CozeApi } from "../coze/call.ts";
import type { CallResult } from "../coze/call-result.ts";
import { GatewayError } from "../errors.ts";
import { isMutating, type Operation, type OperationInput } from "../operation.ts";
import { conclusionOf, subjectOf, subjectWithInput } from "./audited.ts";
import { dryRunReply, isDryRun } from "./dry-run.ts";
import { callOf, failureOf, withheld } from "./failure.ts";
import { type Gate, guardAgain } from "./guard.ts";
import { UnreadableReply } from "./reply/json-tree.ts";
import { shownTo, type Viewer } from "./shown.ts";

export interface ForwardOptions {
  readonly coze: CozeApi;
  readonly trail: AuditTrail;
  readonly gate: Gate;
  /** Coze's origin, for the answer of a dry run. */
  readonly origin: string;
  readonly requestTimeoutMs: number;
}

/**
 * The one handler behind every operation: what is validated and allowed is recorded, goes to Coze, and what Coze says
 * is recorded and comes back, as far as the caller may see it.
 */
export function forward(operation: Operation, options: ForwardOptions): RouteHandlerMethod {
  const { coze, trail, gate, requestTimeoutMs } = options;
  return async (request, reply) => {
    const credential = await guardAgain(request, operation, gate);
    const { caller } = credential;
    const { rules } = request;
    const input = inputOf(operation, request);
    request.rules = authorizeInput(caller, operation, rules, input);
    const subject = subjectWithInput(subjectOf(operation, request, credential), input);
    if (isDryRun(request)) {
      const would = coze.preview(operation, input, acceptLanguageOf(request));
      const begun = await trail.begin(subject, false);
      const recorded = await trail.conclude(begun, { outcome: "not_sent", status: 200, dry_run: true });
      if (!recorded) throw new GatewayError("audit_unavailable");
      return sendJson(reply, dryRunReply(operation, request, credential, would, options.origin));
    }
    const begun = await trail.begin(subject, isMutating(operation));
    const result = await coze.call(operation, input, {
      caller: caller.id,
      weight: caller.weight,
      deadlineAt: request.startedAt + timeoutOf(request, requestTimeoutMs),
      acceptLanguage: acceptLanguageOf(request),
      signal: isMutating(operation) ? undefined : goneSignal(reply),
      onRetry: (notice) => {
        request.log.warn({ event: "retry", operation: operation.id, ...notice }, "retry");
      },
    });
    request.call = result;
    const shown = await viewOf({ caller, rules, ownersOf: gate.ownersOf }, operation, result);
    const hidden = shown instanceof GatewayError ? shown : undefined;
    const conclusion = conclusionOf(operation, result, caller, hidden);
    if (operation.reach === "new_app" && conclusion.outcome === "done" && conclusion.owner === undefined)
      request.log.error({ event: "owner_unknown" }, "an app was created, but its id could not be read");
    if (!(await trail.conclude(begun, conclusion))) throw withheld(operation, result);
    if (shown instanceof GatewayError) throw shown;
    const { last, error } = result;
    if (error !== undefined) throw failureOf(operation, error, result);
    reply.header("x-gateway-attempts", String(result.attempts.length));
    if (last?.logid !== undefined) reply.header("x-tt-logid", last.logid);
    return sendJson(reply, shown);
  };
}

function sendJson(reply: FastifyReply, body: string | Buffer | undefined): FastifyReply {
  return reply.type("application/json; charset=utf-8").send(body);
}

/** What is shown of a success, or the error to answer in its place: what cannot be read well enough is not shown. */
async function viewOf(
  viewer: Viewer,
  operation: Operation,
  result: CallResult,
): Promise<Buffer | GatewayError | undefined> {
  const body = result.last?.body;
  if (body === undefined) return undefined;
  try {
    return await shownTo(viewer, operation, body);
  } catch (error) {
    const call = callOf(operation, result);
    if (error instanceof GatewayError) return new GatewayError(error.error, { ...error.details, call });
    if (error instanceof UnreadableReply) return new GatewayError("coze_malformed", { call, cause: error });
    throw error;
  }
}

/** Only what the operation declares; whatever else the caller sent stops here. */
function inputOf(operation: Operation, request: FastifyRequest): OperationInput {
  if (!operation.body && request.body !== undefined) {
    throw new GatewayError("invalid_request", {
      issues: [{ path: "body", message: "this operation takes no body" }],
    });
  }
  return {
    params: request.params as OperationInput["params"],
    query: request.query as OperationInput["query"],
    body: request.body as OperationInput["body"],
  };
}

/** The caller may shorten the time, not lengthen it; the schema of the header has checked it and made it a number. */
function timeoutOf(request: FastifyRequest, mostMs: number): number {
  const given: unknown = request.headers["x-gateway-timeout-ms"];
  return typeof given === "number" ? Math.min(given, mostMs) : mostMs;
}

/** The one header of the caller that Coze gets: its texts may follow the language (FACTS g). */
function acceptLanguageOf(request: FastifyRequest): string | undefined {
  const given = request.headers["accept-language"];
  return given !== undefined && /^[A-Za-z0-9,;=.* -]{1,128}$/.test(given) ? given : undefined;
}

/** Aborts when the caller hangs up before it was answered. */
function goneSignal(reply: FastifyReply): AbortSignal {
  const gone = new AbortController();
  reply.raw.once("close", () => gone.abort());
  return gone.signal;
}
