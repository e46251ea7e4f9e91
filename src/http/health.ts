import type { FastifyInstance } from "fastify";

/** What has to hold before requests may be sent here: a name and whether it holds now. */
export type ReadinessCheck = readonly [name: string, holds: () => boolean];

/**
 * `/livez` says that the event loop turns; `/readyz` that this instance can serve. Whether Coze answers is not
 * asked: that would take all replicas out at once.
 */
export function addHealth(app: FastifyInstance, checks: readonly ReadinessCheck[]): void {
  app.get("/livez", { schema: { hide: true }, logLevel: "silent" }, async () => ({ status: "ok" }));
  app.get("/readyz", { schema: { hide: true }, logLevel: "silent" }, async (_, reply) => {
    const results = checks.map(([name, holds]) => [name, holds()] as const);
    const ready = results.every(([, holds]) => holds);
    reply.code(ready ? 200 : 503);
    return { status: ready ? "ok" : "not ready", checks: Object.fromEntries(results) };
  });
}
