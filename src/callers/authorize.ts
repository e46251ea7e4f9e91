import { GatewayError } from "../errors.ts";
import type { Action } from "../operation.ts";
import type { Caller } from "./policy.ts";

/**
 * Lets a caller's action pass or refuses it; what no grant allows is refused.
 * An action on no particular app (create, list, reading the audit trail) reaches into all of them, so it takes a grant
 * on `all`.
 * @param apiAppId the app that the route names, not yet validated; undefined when it names none.
 * @throws {GatewayError} forbidden, naming the permission or the app that is missing.
 */
export function authorize(caller: Caller, action: Action, apiAppId: string | undefined): void {
  const granted = caller.grants.filter((grant) => grant.permissions.includes(action.permission));
  if (granted.length === 0) {
    throw new GatewayError("forbidden", {
      message: `Caller ${caller.id} does not hold the permission ${action.permission}.`,
    });
  }
  const allowed = granted.some(
    ({ api_app_ids: ids }) => ids === "all" || (apiAppId !== undefined && ids.includes(apiAppId)),
  );
  if (allowed) return;
  throw new GatewayError("forbidden", {
    message:
      apiAppId === undefined
        ? `Caller ${caller.id} holds ${action.permission} on some callback apps; ${action.id} needs it on all.`
        : `Caller ${caller.id} does not hold ${action.permission} on this callback app.`,
  });
}
