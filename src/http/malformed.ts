import { randomUUID } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { FastifyInstance, FastifyRequest } from "fastify";
import type { Logger } from "pino";
import { GatewayError, type GatewayErrorName } from "../errors.ts";
import type { Metrics } from "../telemetry/metrics.ts";
import { outcomeToTell, rawErrorReply } from "./error-reply.ts";

const byNodeCode: Readonly<Record<string, GatewayErrorName>> = {
  HPE_HEADER_OVERFLOW: "headers_too_large",
  HPE_CHUNK_EXTENSIONS_OVERFLOW: "payload_too_large",
  ERR_HTTP_REQUEST_TIMEOUT: "request_timeout",
};

type NodeError = Error & { readonly code?: string };

/**
 * Answers what Node reads and Fastify never sees, in the same envelope as everything else: bytes that are no request,
 * and CONNECT. Both are counted and logged here, as no hook runs for them.
 */
export function addMalformed(app: FastifyInstance, log: Logger, metrics: Metrics): void {
  const { server } = app;
  const requests = new WeakMap<IncomingMessage, FastifyRequest>();
  const latest = new WeakMap<Socket, ServerResponse>();
  const refused = new WeakSet<Socket>();

  const refuse = (socket: Socket, error: GatewayError, code: string | undefined) => {
    // A broken parser fails again with each further chunk.
    if (refused.has(socket)) return;
    refused.add(socket);
    const reply = latest.get(socket);
    // Where it is the body that is broken, the request is known already and gets its own line as well.
    const open = reply && !reply.req.complete && !reply.headersSent ? requests.get(reply.req) : undefined;
    const request_id = open?.id ?? randomUUID();
    const line = {
      event: "malformed",
      request_id,
      error: error.error,
      code,
      remote_address: socket.remoteAddress,
    };
    log.info(line, "malformed request");
    inTurn(socket, reply, () => {
      if (open) open.brokenBy = error.error;
      else metrics.requests.inc({ operation: "other", error: error.error });
      socket.end(rawErrorReply(error, request_id, open && outcomeToTell(open, error)));
    });
  };

  app.addHook("onRequest", async (request) => {
    requests.set(request.raw, request);
  });
  server.on("request", (request: IncomingMessage, reply: ServerResponse) => {
    latest.set(request.socket, reply);
  });
  // In place of Fastify's own handler, which writes whatever goes on on the socket.
  server.removeAllListeners("clientError");
  server.on("clientError", ({ code }: NodeError, socket: Socket) => {
    if (code === "ECONNRESET" || !socket.writable) socket.destroy();
    else refuse(socket, new GatewayError(byNodeCode[code ?? ""] ?? "malformed_http"), code);
  });
  server.on("connect", (_, stream) => {
    const socket = stream as Socket;
    // Node has let go of the socket: nobody else notices its errors, its end or that nothing happens on it.
    socket.on("error", () => undefined);
    socket.on("timeout", () => socket.destroy());
    socket.resume();
    const message = "The gateway is no proxy: it does not take CONNECT.";
    refuse(socket, new GatewayError("method_not_allowed", { allow: [], message }), "CONNECT");
  });
  // Node itself would answer 417 without the envelope; an unknown expectation may be ignored (RFC 9110, 10.1.1).
  server.on("checkExpectation", (request, reply) => server.emit("request", request, reply));
}

/**
 * Answers only where no caller can take the answer for that to another request: one that was understood and may be
 * carried out keeps its own reply, which becomes the last of the connection, and one that was answered gets no second.
 * @param reply to the latest request on the socket.
 */
function inTurn(socket: Socket, reply: ServerResponse | undefined, answer: () => void): void {
  if (!reply || (reply.writableFinished && reply.req.complete)) answer();
  else if (reply.writableFinished) socket.destroySoon();
  else if (reply.req.complete || reply.headersSent) {
    reply.shouldKeepAlive = false;
    // Where the head is out already, Node would keep the connection.
    reply.once("finish", () => socket.end());
  } else if (reply.socket) answer();
  // Replies to earlier requests are still to come: it gets the socket after them.
  else reply.once("socket", () => inTurn(socket, reply, answer));
}
