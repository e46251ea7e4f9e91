import type { FastifyInstance } from "fastify";
import type { Policy } from "../callers/policy.ts";
import { operations } from "../operations/registry.ts";
import { type ForwardOptions, forward } from "./forward.ts";
import { guard } from "./guard.ts";
import { routeSchema } from "./route-schema.ts";

/** What the routes of the operations need. */
export interface OperationRouteOptions extends ForwardOptions {
  /** The policy in force now. */
  readonly policy: () => Policy;
}

/** One route for each operation of the registry; everything about it follows from the declaration. */
export function addOperations(app: FastifyInstance, { policy, ...options }: OperationRouteOptions): void {
  for (const operation of operations) {
    app.route({
      method: operation.method,
      url: operation.path,
      config: { operation },
      schema: routeSchema(operation),
      onRequest: guard(operation, policy),
      handler: forward(operation, options),
    });
  }
}
