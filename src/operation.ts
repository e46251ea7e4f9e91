/**
 * How often an operation may take effect (DESIGN section 5): `safe` changes nothing, `idempotent` may be repeated
 * with the same effect, `once` must never be repeated after its bytes may have left.
 */
export type IdempotencyClass = "safe" | "idempotent" | "once";

/** Any value that JSON can hold. */
export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };

/** A JSON Schema (2020-12) object: validates the request, and stands in the OpenAPI document as it is. */
export type JsonSchema = { readonly [key: string]: Json };

/**
 * Which callback apps an action concerns: one that its path names, one that it makes, those that it lists, or all.
 * One that concerns `no_app` is free to every known caller.
 */
export type Reach = "one_app" | "new_app" | "listed_apps" | "all_apps" | "no_app";

/** What a grant can limit besides the app, by its name in the callers file. */
export type Limit = "app_types" | "event_types";

/** What a caller may be permitted to do: an operation of Coze's, or something of the gateway's own. */
export interface Action {
  /** The stable name: OpenAPI operationId, log and audit field, metric label. */
  readonly id: string;
  readonly permission: string;
  readonly idempotency: IdempotencyClass;
  readonly reach: Reach;
  /** Limits of a grant that this action can keep to; a grant with any other limit does not grant it. */
  readonly limits?: readonly Limit[];
  /** Takes something away, and so has a rate limit of its own. */
  readonly destructive?: true;
}

/** The class that an action's rate limit is counted in. */
export type RateClass = "read" | "write" | "destructive";

/** The class of an action's rate limit. */
export function rateClassOf(action: Action): RateClass {
  if (action.destructive) return "destructive";
  return isMutating(action) ? "write" : "read";
}

/** One call of Coze's API, declared as data. Route, OpenAPI entry, permission, retry class, log fields and metric labels follow. */
export interface Operation extends Action {
  readonly method: "GET" | "POST" | "PUT" | "DELETE";
  /** Coze's path in Fastify's form, the same here and there. */
  readonly path: `/v1/${string}`;
  /** Coze's own name of the permission that both the gateway's token and the caller's grant must hold. */
  readonly permission: string;
  readonly summary: string;
  readonly description: string;
  /** The page in Coze's documentation that this declaration follows. */
  readonly source: string;
  readonly params?: JsonSchema;
  readonly query?: JsonSchema;
  readonly body?: JsonSchema;
  /** Schema of `data` in a success; absent where Coze sends none. */
  readonly data?: JsonSchema;
  readonly examples: { readonly body?: Json; readonly data?: Json };
  /** Least time in ms for one attempt, where Coze itself takes longer than the usual attempt. */
  readonly minAttemptTimeoutMs?: number;
}

/** True when a success changes something at Coze. */
export function isMutating(action: Action): boolean {
  return action.idempotency !== "safe";
}

/** The validated input of one call: exactly what goes to Coze, nothing else of the caller's request does. */
export interface OperationInput {
  readonly params: Readonly<Record<string, string>>;
  readonly query: Readonly<Record<string, string | number>>;
  readonly body: Json | undefined;
}

/**
 * The path and query to send to Coze, every value percent-encoded; a query value goes as validation left it, so that
 * `page_size=0x10` becomes 16.
 */
export function requestTarget(operation: Operation, input: OperationInput): string {
  const path = operation.path.replace(/:(\w+)/g, (_, name: string) =>
    encodeURIComponent(input.params[name] ?? ""),
  );
  const query = Object.entries(input.query).map(([name, value]) => `${name}=${encodeURIComponent(value)}`);
  return query.length === 0 ? path : `${path}?${query.join("&")}`;
}
