import Fastify, { type FastifyInstance } from "fastify";
import type { Registry } from "prom-client";
import { addHealth, type ReadinessCheck } from "./health.ts";

/** The operators' port: health and metrics, kept away from callers. */
export function buildAdmin(registry: Registry, checks: readonly ReadinessCheck[]): FastifyInstance {
  const app = Fastify({ logger: false, forceCloseConnections: true });
  addHealth(app, checks);
  app.get("/metrics", async (_, reply) => reply.type(registry.contentType).send(await registry.metrics()));
  return app;
}
