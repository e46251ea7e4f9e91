import type { FastifyInstance } from "fastify";
import { rateLimitHeaders } from "../callers/rate-limit/headers.ts";

/** Tells every known caller, refused or not, what is left of its limit. */
export function addRateLimitHeaders(app: FastifyInstance): void {
  app.addHook("onSend", async (request, reply) => {
    if (request.rate) reply.headers(rateLimitHeaders(request.rate.rateClass, request.rate.verdict));
  });
}
