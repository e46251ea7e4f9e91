import Fastify, { type FastifyBaseLogger, type FastifyInstance, LogController } from "fastify";
import type { Logger } from "pino";
import type { AuditTrail } from "./audit/trail.ts";
import type { Config } from "./config/config.ts";
import type { CozeApi } from "./coze/call.ts";
import type { CozeToken } from "./coze/token/token.ts";
import type { AuditReader } from "./http/audit/reader.ts";
import { readRecorder } from "./http/audit/record-read.ts";
import { addAuditRoutes } from "./http/audit/routes.ts";
import { addBodyParser, maxBodyBytes } from "./http/body.ts";
import { addContext, requestId } from "./http/context.ts";
import { asGatewayError, errorHandler } from "./http/error-reply.ts";
import type { Gate } from "./http/guard.ts";
import { addHealth, type ReadinessCheck } from "./http/health.ts";
import { addMalformed } from "./http/malformed.ts";
import { addNotFound } from "./http/not-found.ts";
import { addOpenapi } from "./http/openapi.ts";
import { addOperations } from "./http/operations.ts";
import { addRateLimitHeaders } from "./http/rate-limit-headers.ts";
import { addRequestLog } from "./http/request-log.ts";
import { addValidation } from "./http/validation.ts";
import { addWhoami } from "./http/whoami.ts";
import type { Metrics } from "./telemetry/metrics.ts";

/** What the gateway is put together from, besides its configuration. */
export interface Parts {
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly token: CozeToken;
  readonly coze: CozeApi;
  readonly trail: AuditTrail;
  /** The store of the trail, for reading. */
  readonly auditStore: AuditReader;
  readonly gate: Gate;
  readonly readiness: readonly ReadinessCheck[];
  /** True once the process was told to stop: replies then ask for the connection to be closed. */
  readonly draining: () => boolean;
  readonly version: string;
}

/** Builds the gateway, in the order in which a request meets its parts. Building is not running: it listens to nothing. */
export async function build(config: Config, parts: Parts): Promise<FastifyInstance> {
  const { log, metrics, gate } = parts;
  const answerError = errorHandler(parts.trail, (reason) => metrics.authFailures.inc({ reason }));
  const logger: FastifyBaseLogger = log;
  const app = Fastify({
    loggerInstance: logger,
    logController: new LogController({ disableRequestLogging: true, requestIdLogLabel: "request_id" }),
    genReqId: requestId,
    bodyLimit: maxBodyBytes,
    // A caller that sends its request more slowly than this is cut off with 408.
    requestTimeout: config.REQUEST_TIMEOUT_MS,
    keepAliveTimeout: 72_000,
    // A caller that does not read its reply must not hold it for ever. Idle connections go by keepAliveTimeout.
    connectionTimeout: config.REQUEST_TIMEOUT_MS + 30_000,
    exposeHeadRoutes: false,
    return503OnClosing: false,
    forceCloseConnections: "idle",
    // Long parameters have to reach validation, which answers 400; the router alone would say 404.
    routerOptions: { maxParamLength: 16_384 },
    http: {
      requireHostHeader: false,
      // Node swaps the two when this one is the longer, and its default is.
      headersTimeout: config.REQUEST_TIMEOUT_MS,
      connectionsCheckingInterval: 1000,
    },
    frameworkErrors: (error, request, reply) => {
      // No hook runs for these, so neither does the request log.
      const word = asGatewayError(error).error;
      const line = { event: "malformed", request_id: request.id, error: word, code: error.code };
      log.info({ ...line, remote_address: request.ip }, "malformed request");
      metrics.requests.inc({ operation: "other", error: word });
      void answerError(error, request, reply);
    },
  });
  addMalformed(app, log, metrics);
  addContext(app);
  app.setErrorHandler(answerError);
  addRequestLog(app, metrics);
  addNotFound(app);
  addBodyParser(app);
  addValidation(app);
  addRateLimitHeaders(app);
  app.addHook("onSend", async (_, reply) => {
    if (parts.draining()) reply.header("connection", "close");
  });
  await addOpenapi(app, parts.version);
  addHealth(app, parts.readiness);
  addOperations(app, {
    gate,
    coze: parts.coze,
    trail: parts.trail,
    origin: config.COZE_BASE_URL,
    requestTimeoutMs: config.REQUEST_TIMEOUT_MS,
  });
  addWhoami(app, gate);
  addAuditRoutes(app, gate, {
    store: parts.auditStore,
    recordRead: readRecorder(parts.trail),
  });
  return app;
}
