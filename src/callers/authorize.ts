import { GatewayError } from "../errors.ts";
import { namesApp, type Operation } from "../operation.ts";
import type { Caller } from "./policy.ts";

/**
 * Lets a caller's operation pass or refuses it; what no grant allows is refused.
 * An operation on no particular app (create, list) reaches into all of them, so it takes a grant on `all`.
 * @param apiAppId the app that the call names, not yet validated; undefined when the operation names none.
 * @throws {GatewayError} forbidden, naming the permission or the app that is missing.
 */
export function authorize(caller: Caller, operation: Operation, apiAppId: string | undefined): void {
  const granted = caller.grants.filter((grant) => grant.permissions.includes(operation.permission));
  if (granted.length === 0) {
    throw new GatewayError("forbidden", {
      message: `Caller ${caller.id} does not hold the permission ${operation.permission}.`,
    });
  }
  const allowed = granted.some(
    ({ api_app_ids: ids }) => ids === "all" || (apiAppId !== undefined && ids.includes(apiAppId)),
  );
  if (allowed) return;
  throw new GatewayError("forbidden", {
    message: namesApp(operation)
      ? `Caller ${caller.id} does not hold ${operation.permission} on this callback app.`
      : `Caller ${caller.id} holds ${operation.permission} on some callback apps; ${operation.id} needs it on all.`,
  });
}
