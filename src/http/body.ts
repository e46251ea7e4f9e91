import { isUtf8 } from "node:buffer";
import type { FastifyInstance } from "fastify";
import { GatewayError } from "../errors.ts";

/** The bodies of the operations so far are far below this. */
export const maxBodyBytes = 64 * 1024;

/**
 * Reads JSON and nothing else. An empty body is no body, whatever Content-Type announces one: Coze's documented
 * DELETE is sent that way, and Fastify's own parser refuses it (PITFALLS).
 */
export function addBodyParser(app: FastifyInstance): void {
  const parseJson = app.getDefaultJsonParser("error", "error");
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("application/json", { parseAs: "buffer" }, (request, body: Buffer, done) => {
    if (body.length === 0) return done(null, undefined);
    const charset = /;\s*charset\s*=\s*"?([^";\s]*)/i.exec(String(request.headers["content-type"]))?.[1];
    if (charset !== undefined && charset.toLowerCase() !== "utf-8") {
      return done(new GatewayError("unsupported_media_type", { message: "Send JSON as UTF-8." }));
    }
    if (!isUtf8(body)) return done(notJson("is not valid UTF-8"));
    return parseJson(request, body.toString(), (error, value) =>
      done(error && notJson("is not valid JSON"), value),
    );
  });
  app.addContentTypeParser("*", { parseAs: "buffer" }, (_, body: Buffer, done) =>
    done(body.length === 0 ? null : new GatewayError("unsupported_media_type"), undefined),
  );
}

/** The parser's own message quotes the body, so it is not used. */
function notJson(message: string): GatewayError {
  return new GatewayError("invalid_request", { issues: [{ path: "body", message }] });
}
