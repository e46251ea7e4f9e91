import type { FastifyReply, FastifyRequest, RouteHandlerMethod } from "fastify";
import type { AuditTrail } from "../audit/trail.ts";
import type { CozeApi } from "../coze/call.ts";
import type { CallResult } from "../coze/call-result.ts";
import { GatewayError, type GatewayErrorName, gatewayErrors } from "../errors.ts";
import { isMutating, type Operation, type OperationInput } from "../operation.ts";
import { redactCredentials } from "../telemetry/logger.ts";
import { conclusionOf, subjectOf, subjectWithInput } from "./audited.ts";

export interface ForwardOptions {
  readonly coze: CozeApi;
  readonly trail: AuditTrail;
  readonly requestTimeoutMs: number;
  /** Takes the Coze token out of a text. */
  readonly redact: (text: string) => string;
}

/**
 * The one handler behind every operation: what is validated is recorded, goes to Coze, and what Coze says is recorded
 * and comes back.
 */
export function forward(
  operation: Operation,
  { coze, trail, requestTimeoutMs, redact }: ForwardOptions,
): RouteHandlerMethod {
  return async (request, reply) => {
    const { credential } = request;
    if (!credential) throw new GatewayError("internal");
    const input = inputOf(operation, request);
    const subject = subjectWithInput(subjectOf(operation, request, credential), input);
    const begun = await trail.begin(subject, isMutating(operation));
    const result = await coze.call(operation, input, {
      deadlineAt: request.startedAt + timeoutOf(request, requestTimeoutMs),
      acceptLanguage: acceptLanguageOf(request),
      signal: isMutating(operation) ? undefined : goneSignal(reply),
      onRetry: (notice) => {
        request.log.warn({ event: "retry", operation: operation.id, ...notice }, "retry");
      },
    });
    request.call = result;
    if (!(await trail.conclude(begun, conclusionOf(operation, result)))) throw withheld(operation, result);
    const { last, error } = result;
    if (error !== undefined) throw failureOf(operation, error, result, redact);
    reply.header("x-gateway-attempts", String(result.attempts.length));
    if (last?.logid !== undefined) reply.header("x-tt-logid", last.logid);
    return reply.type("application/json; charset=utf-8").send(last?.body);
  };
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

function failureOf(
  operation: Operation,
  error: GatewayErrorName,
  result: CallResult,
  redact: (text: string) => string,
): GatewayError {
  const { last, attempts, stopped, outcome, retryAfterMs } = result;
  const code = last?.code === 0 ? undefined : last?.code;
  return new GatewayError(error, {
    message: [
      ...wordsOf(operation, error, last?.msg, redact),
      `Attempts: ${attempts.length}, stopped: ${stopped}.`,
    ].join(" "),
    call: {
      attempts: attempts.length,
      stopped,
      ...(outcome !== undefined && { outcome }),
      ...(code !== undefined && { code }),
      ...(last?.logid !== undefined && { logid: last.logid }),
    },
    ...("retryAfterS" in gatewayErrors[error] &&
      retryAfterMs !== undefined && { retryAfterS: Math.max(1, Math.ceil(retryAfterMs / 1000)) }),
  });
}

/** Whatever came of it, `stopped` included, the caller is told only that it is not known: what is not recorded is not answered (DESIGN 1.4). */
function withheld(operation: Operation, { last, attempts }: CallResult): GatewayError {
  return new GatewayError("audit_incomplete", {
    call: {
      attempts: attempts.length,
      ...(isMutating(operation) && { outcome: "unknown" }),
      ...(last?.logid !== undefined && { logid: last.logid }),
    },
  });
}

function wordsOf(
  operation: Operation,
  error: GatewayErrorName,
  msg: string | undefined,
  redact: (text: string) => string,
): string[] {
  const words: string[] = [gatewayErrors[error].message];
  if (error === "coze_permission_missing") words.push(`Missing: ${operation.permission}.`);
  if (msg) words.push(`Coze says: "${printable(redactCredentials(redact(msg)))}".`);
  return words;
}

/** Coze's text is foreign: kept short and free of characters that could forge a line or hide text. */
function printable(text: string): string {
  return text.slice(0, 500).replace(/[\p{C}\p{Zl}\p{Zp}]/gu, " ");
}
