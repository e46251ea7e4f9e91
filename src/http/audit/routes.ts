import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { GatewayError } from "../../errors.ts";
import { envelope } from "../envelope.ts";
import { asGatewayError } from "../error-reply.ts";
import { type Gate, guard } from "../guard.ts";
import { ndjson, prefersNdjson } from "./accept.ts";
import { getAuditEvent, listAuditEvents } from "./actions.ts";
import { eventOf } from "./event.ts";
import { exportOf } from "./export.ts";
import { pageOf } from "./page.ts";
import { type AuditQuery, filterOf, refusePaging } from "./query.ts";
import { type AuditReader, readerOf } from "./reader.ts";
import { getSchema, listSchema } from "./schema.ts";

/** What a read of the trail asked for: names of parameters, never their values, and the app. */
export interface AuditRead {
  readonly fields: readonly string[];
  readonly api_app_id?: string | undefined;
}

/** What the routes of the audit trail need. */
export interface AuditRouteOptions {
  /** The store, for reading. */
  readonly store: AuditReader;
  /** Records a read before its reply; rejects with the GatewayError to answer when that is not possible. */
  readonly recordRead: (request: FastifyRequest, asked: AuditRead) => Promise<void>;
}

/**
 * The routes that answer from the audit trail. A read is recorded there itself once it is known to succeed; one that
 * is refused is recorded where all refusals are.
 */
export function addAuditRoutes(
  app: FastifyInstance,
  gate: Gate,
  { store, recordRead }: AuditRouteOptions,
): void {
  app.route<{ Querystring: AuditQuery }>({
    method: "GET",
    url: "/gateway/v1/audit/events",
    config: { operation: listAuditEvents },
    schema: listSchema,
    onRequest: guard(listAuditEvents, gate),
    handler: async (request, reply) => {
      const { query, headers, log } = request;
      reply.header("vary", "Accept");
      const reader = readerOf(store, log);
      const asked = { fields: Object.keys(query), api_app_id: query.api_app_id };
      if (prefersNdjson(headers.accept)) {
        refusePaging(query);
        const lines = await exportOf(reader, filterOf(query));
        await recordRead(request, asked);
        lines.once("error", (error) => cutOff(request, error as GatewayError));
        return reply.type(ndjson).send(lines);
      }
      const page = await pageOf(reader, query);
      await recordRead(request, asked);
      return success(reply, page);
    },
  });

  app.route<{ Params: { id: string } }>({
    method: "GET",
    url: "/gateway/v1/audit/events/:id",
    config: { operation: getAuditEvent },
    schema: getSchema,
    onRequest: guard(getAuditEvent, gate),
    handler: async (request, reply) => {
      const event = await eventOf(readerOf(store, request.log), request.params.id);
      if (event === undefined) {
        throw new GatewayError("not_found", { message: "The audit trail has no record of this id." });
      }
      await recordRead(request, { fields: [] });
      return success(reply, event);
    },
  });
}

/** Coze's envelope around a `data` that is JSON already. */
function success(reply: FastifyReply, data: string): FastifyReply {
  return reply.type("application/json; charset=utf-8").send(envelope(data));
}

/**
 * Resets the connection of an export that fails half way: over HTTP/1.0 an orderly end of the connection is the end of
 * the body, and half of the records must not look like all.
 */
function cutOff(request: FastifyRequest, error: GatewayError): void {
  request.failure = asGatewayError(error).error;
  request.log.error({ event: "export_cut", err: error }, "an export ended before its end");
  request.raw.socket.resetAndDestroy();
}
