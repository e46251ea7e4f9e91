import type { FastifyRequest } from "fastify";
import t from "tap";
import { LimitedRefusals } from "../../src/http/limited-refusals.ts";

const requestOf = (caller: string, operation = "list_api_apps") =>
  ({
    credential: { caller: { id: caller } },
    routeOptions: { config: { operation: { id: operation } } },
  }) as unknown as FastifyRequest;

t.test("one of each caller and action in ten seconds", async (t) => {
  const refusals = new LimitedRefusals();
  t.equal(refusals.isFirst(requestOf("a"), 0), true);
  t.equal(refusals.isFirst(requestOf("a"), 9_999), false);
  t.equal(refusals.isFirst(requestOf("b"), 9_999), true);
  t.equal(refusals.isFirst(requestOf("a", "delete_api_app"), 9_999), true);
  t.equal(refusals.isFirst(requestOf("a"), 10_000), true);
});

t.test("it does not grow without bound", async (t) => {
  const refusals = new LimitedRefusals();
  for (let index = 0; index < 10_000; index++) refusals.isFirst(requestOf(`c${index}`), 0);
  t.equal(refusals.isFirst(requestOf("c0"), 1), false);
  t.equal(refusals.isFirst(requestOf("one-more"), 1), true);
  t.equal(refusals.isFirst(requestOf("c0"), 1), true, "it was forgotten, and is recorded once more");
});
