import Fastify, { type FastifyInstance } from "fastify";
import type { Registry } from "prom-client";
import type { TokenStatus } from "../coze/token/status.ts";
import { addHealth, type ReadinessCheck } from "./health.ts";

/** The operators' port: health, metrics and what may be told of the Coze token, kept away from callers. */
export function buildAdmin(
  registry: Registry,
  checks: readonly ReadinessCheck[],
  tokenStatus: () => TokenStatus,
): FastifyInstance {
  const app = Fastify({ logger: false, forceCloseConnections: true });
  addHealth(app, checks);
  app.get("/metrics", async (_, reply) => reply.type(registry.contentType).send(await registry.metrics()));
  app.get("/token", async (_, reply) => reply.header("cache-control", "no-store").send(tokenStatus()));
  return app;
}
