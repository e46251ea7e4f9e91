import { STATUS_CODES } from "node:http";
import type { FastifyError, FastifyReply, FastifyRequest } from "fastify";
import type { AuditTrail } from "../audit/trail.ts";
import { AuthenticationError } from "../callers/authenticate.ts";
import { JwtUnavailable } from "../callers/jwt/refused.ts";
import { GatewayError, type GatewayErrorName, gatewayErrors, type Outcome } from "../errors.ts";
import { isMutating, type Json } from "../operation.ts";
import { refusalOf, subjectOf } from "./audited.ts";
import { commonHeaders } from "./context.ts";
import { isDryRun } from "./dry-run.ts";
import { LimitedRefusals } from "./limited-refusals.ts";
import { issuesOf } from "./validation.ts";

/** An error as it goes over the wire. */
export interface ErrorReply {
  readonly status: number;
  readonly headers: Record<string, string>;
  readonly body: string;
}

/**
 * Puts an error into Coze's envelope (DESIGN section 4): the only place that does.
 * @param outcome what is known of the change that was asked for, if one was.
 */
export function errorReply(error: GatewayError, requestId: string, outcome?: Outcome): ErrorReply {
  const line: { status: number; code: number; retryAfterS?: number } = gatewayErrors[error.error];
  const { retryAfterS = line.retryAfterS, allow, call } = error.details;
  const headers: Record<string, string> = {
    ...commonHeaders(requestId),
    "content-type": "application/json; charset=utf-8",
  };
  if (line.status === 401) headers["www-authenticate"] = 'Bearer realm="coze-gateway"';
  if (retryAfterS !== undefined) headers["retry-after"] = String(retryAfterS);
  if (allow) headers["allow"] = allow.join(", ");
  if (call) headers["x-gateway-attempts"] = String(call.attempts);
  if (call?.logid !== undefined) headers["x-tt-logid"] = call.logid;
  return { status: line.status, headers, body: JSON.stringify(errorBody(error, requestId, outcome)) };
}

function errorBody(error: GatewayError, requestId: string, outcome?: Outcome) {
  const { issues, call } = error.details;
  return {
    code: call?.code ?? gatewayErrors[error.error].code,
    msg: error.message,
    detail: { logid: call?.logid ?? "" },
    gateway: {
      error: error.error,
      request_id: requestId,
      attempts: call?.attempts ?? 0,
      stopped: call?.stopped,
      outcome,
      issues,
    },
  };
}

/** The body that an error of this word has, for the documentation. */
export function errorReplyExample(word: GatewayErrorName): Json {
  return JSON.parse(
    JSON.stringify(errorBody(new GatewayError(word), "0b6f6a1e-6d0c-4c9d-8a52-3f1d8d6f7b10")),
  );
}

/** The same as bytes of HTTP/1.1, for a socket on which Node could not even read a request. */
export function rawErrorReply(error: GatewayError, requestId: string, outcome?: Outcome): string {
  const { status, headers, body } = errorReply(error, requestId, outcome);
  const lines = Object.entries({
    ...headers,
    "content-length": String(Buffer.byteLength(body)),
    connection: "close",
  });
  const head = lines.map(([name, value]) => `${name}: ${value}\r\n`).join("");
  return `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${head}\r\n${body}`;
}

const byFastifyCode: Readonly<Record<string, GatewayErrorName>> = {
  FST_ERR_BAD_URL: "malformed_http",
  FST_ERR_CTP_BODY_TOO_LARGE: "payload_too_large",
  FST_ERR_CTP_INVALID_MEDIA_TYPE: "unsupported_media_type",
};

/** Finds an error's line in the table; what has none is `internal`, and its text stays in the log. */
export function asGatewayError(error: FastifyError | GatewayError): GatewayError {
  if (error instanceof GatewayError) return error;
  if (error.validation) {
    return new GatewayError("invalid_request", {
      issues: issuesOf(error.validation, error.validationContext),
    });
  }
  const word = byFastifyCode[error.code];
  if (word) return new GatewayError(word, { cause: error });
  const status = error.statusCode ?? 500;
  if (status >= 400 && status < 500) {
    return new GatewayError("invalid_request", {
      message: "The request could not be read.",
      cause: error,
    });
  }
  return new GatewayError("internal", { cause: error });
}

/** Whatever ended a request for a change before it was forwarded ended it unsent; only our own failures leave doubt. */
export function outcomeToTell({ routeOptions }: FastifyRequest, error: GatewayError): Outcome | undefined {
  const { operation } = routeOptions.config;
  if (!operation || !isMutating(operation)) return undefined;
  return error.details.call?.outcome ?? (error.error === "internal" ? "unknown" : "not_sent");
}

/** Makes the handler that answers every thrown error, whatever threw it, and records it when a known caller was refused. */
export function errorHandler(trail: Pick<AuditTrail, "refuse">, onAuthFailure: (reason: string) => void) {
  const limited = new LimitedRefusals();
  return async (thrown: FastifyError | GatewayError, request: FastifyRequest, reply: FastifyReply) => {
    if (thrown instanceof AuthenticationError) {
      onAuthFailure(thrown.refusal);
      request.refused = thrown;
    }
    if (thrown instanceof JwtUnavailable) {
      onAuthFailure("jwt_unavailable");
      request.problem = `issuer ${thrown.issuer}: ${thrown.problem}`;
    }
    const refusal = request.brokenBy ? new GatewayError(request.brokenBy) : asGatewayError(thrown);
    if (refusal.error === "internal") request.log.error({ event: "internal_error", err: thrown });
    const repeated = refusal.error === "rate_limited" && !limited.isFirst(request, performance.now());
    const error = repeated ? refusal : await recorded(refusal, request, trail);
    request.failure = error.error;
    request.outcome = outcomeToTell(request, error);
    const { status, headers, body } = errorReply(error, request.id, request.outcome);
    return reply.code(status).headers(headers).send(body);
  };
}

/** The error itself once the refusal of a known caller is recorded, or the one that says that this was not possible. */
async function recorded(
  error: GatewayError,
  request: FastifyRequest,
  trail: Pick<AuditTrail, "refuse">,
): Promise<GatewayError> {
  const { credential, routeOptions } = request;
  const { operation } = routeOptions.config;
  const concluded = error.details.call || error.error === "internal" || error.error === "audit_unavailable";
  if (!credential || !operation || concluded) return error;
  try {
    await trail.refuse(subjectOf(operation, request, credential), refusalOf(error, isDryRun(request)));
    return error;
  } catch (unavailable) {
    return asGatewayError(unavailable as GatewayError);
  }
}
