import { GatewayError } from "../errors.ts";
import type { Operation } from "../operation.ts";
import { authorize, authorizeInput, type OwnersOf } from "./authorize.ts";
import type { Caller } from "./callers-file.ts";
import { nameOf } from "./grants.ts";

/** What somebody would do: on which app, and with what a grant may limit. */
export interface Intent {
  readonly api_app_id?: string | undefined;
  readonly app_type?: string | undefined;
  readonly event_type?: string | undefined;
}

/** Whether it is allowed; and which grants allow it, by their place in the callers file, or why it is not. */
export type Decision = { readonly operation: string } & (
  | { readonly allowed: true; readonly rule: string }
  | { readonly allowed: false; readonly reason: string }
);

/**
 * Says whether a caller may do something, by the same rules as for a real call.
 * @throws {GatewayError} when it takes the owner of the app and that cannot be read now.
 */
export async function explain(
  caller: Caller,
  operation: Operation,
  { api_app_id, app_type, event_type }: Intent,
  ownersOf: OwnersOf,
): Promise<Decision> {
  const body = {
    ...(app_type !== undefined && { app_type }),
    ...(event_type !== undefined && { event_types: [event_type] }),
  };
  try {
    const rules = await authorize(caller, operation, api_app_id, ownersOf);
    const rule = nameOf(authorizeInput(caller, operation, rules, { params: {}, query: {}, body }));
    return { operation: operation.id, allowed: true, rule };
  } catch (error) {
    if (!(error instanceof GatewayError) || error.error !== "forbidden") throw error;
    return { operation: operation.id, allowed: false, reason: error.message };
  }
}
