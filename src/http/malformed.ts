import { randomUUID } from "node:crypto";
import type { Socket } from "node:net";
import type { Logger } from "pino";
import { GatewayError, type GatewayErrorName } from "../errors.ts";
import { rawErrorReply } from "./error-reply.ts";

const byNodeCode: Readonly<Record<string, GatewayErrorName>> = {
  HPE_HEADER_OVERFLOW: "headers_too_large",
  HPE_CHUNK_EXTENSIONS_OVERFLOW: "payload_too_large",
  ERR_HTTP_REQUEST_TIMEOUT: "request_timeout",
};

/** Answers bytes that Node could not read as a request, in the same envelope as everything else. */
export function malformedHttp(log: Logger): (error: Error & { code?: string }, socket: Socket) => void {
  return (error, socket) => {
    if (error.code === "ECONNRESET" || !socket.writable) {
      socket.destroy();
      return;
    }
    const word = byNodeCode[error.code ?? ""] ?? "malformed_http";
    const id = randomUUID();
    log.info({ event: "malformed", request_id: id, error: word, code: error.code }, "malformed request");
    socket.end(rawErrorReply(new GatewayError(word), id));
  };
}
