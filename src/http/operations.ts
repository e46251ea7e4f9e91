import type { FastifyInstance } from "fastify";
import { operations } from "../operations/registry.ts";
import { type ForwardOptions, forward } from "./forward.ts";
import { guard } from "./guard.ts";
import { routeSchema } from "./route-schema.ts";

/** One route for each operation of the registry; everything about it follows from the declaration. */
export function addOperations(app: FastifyInstance, options: ForwardOptions): void {
  const { gate } = options;
  for (const operation of operations) {
    app.route({
      method: operation.method,
      url: operation.path,
      config: { operation },
      schema: routeSchema(operation),
      onRequest: guard(operation, gate),
      handler: forward(operation, options),
    });
  }
}
