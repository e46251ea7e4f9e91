import t from "tap";
import { stopReasons } from "../../src/coze/retry-policy.ts";
import { gatewayErrors } from "../../src/errors.ts";
import { failure, routeSchema } from "../../src/http/route-schema.ts";
import { operations } from "../../src/operations/registry.ts";

t.test("each operation's schema says who may call it and how often", async (t) => {
  for (const operation of operations) {
    const { description, operationId, summary } = routeSchema(operation) as Record<string, string>;
    t.equal(operationId, operation.id);
    t.equal(summary, operation.summary);
    t.match(description, `Permission: \`${operation.permission}\`. Retry class: ${operation.idempotency}`);
    t.equal(description?.endsWith(" (changes nothing)."), operation.idempotency === "safe");
  }
});

t.test("every status of the error table is among the replies", async (t) => {
  const statuses = [...new Set(Object.values(gatewayErrors).map(({ status }) => status))];
  for (const operation of operations) {
    const { response } = routeSchema(operation) as { response: Record<string, unknown> };
    t.same(Object.keys(response).map(Number), [200, ...statuses].sort());
  }
});

t.test("a failure's words and reasons are lists to branch on", async (t) => {
  t.match(failure, {
    properties: {
      gateway: {
        properties: { error: { enum: Object.keys(gatewayErrors) }, stopped: { enum: [...stopReasons] } },
      },
    },
  });
});
