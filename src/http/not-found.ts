import type { FastifyInstance } from "fastify";
import { GatewayError } from "../errors.ts";

/** Answers what no route takes: 405 with `Allow` where the path is known, else 404. Add it before the routes. */
export function addNotFound(app: FastifyInstance): void {
  const known: { readonly path: RegExp; readonly methods: readonly string[] }[] = [];
  app.addHook("onRoute", ({ url, method }) => {
    const pattern = url
      .replace(/[.+?^${}()|[\]\\]/g, "\\$&")
      .replace(/:\w+/g, "[^/]+")
      .replace(/\*/g, ".*");
    known.push({ path: new RegExp(`^${pattern}$`), methods: [method].flat() });
  });
  app.setNotFoundHandler((request) => {
    const [path = ""] = request.url.split("?");
    const allow = known.filter((route) => route.path.test(path)).flatMap((route) => route.methods);
    if (allow.length === 0) throw new GatewayError("not_found");
    throw new GatewayError("method_not_allowed", { allow: [...new Set(allow)].sort() });
  });
}
