import { GatewayError } from "../errors.ts";
import type { Action, OperationInput, Reach } from "../operation.ts";
import { isApiAppId } from "../operations/schemas.ts";
import type { Caller } from "./callers-file.ts";
import { covers, type Named, needsOwner, permits, type Rule, rulesFor } from "./grants.ts";

/**
 * The owners of callback apps, by id; apps that nobody owns are absent.
 * @throws {GatewayError} when they cannot be read now.
 */
export type OwnersOf = (apiAppIds: readonly string[]) => Promise<ReadonlyMap<string, string>>;

/**
 * Lets a caller's action pass or refuses it; what no grant allows is refused. An app that is another's and one that
 * does not exist are refused alike, as neither is looked up at Coze.
 * @param apiAppId the app that the route names, not yet validated; undefined when it names none.
 * @param ownersOf is asked only where the answer depends on who owns the app.
 * @returns the grants that let it pass, one at least; what they say of the input is still to be checked.
 * @throws {GatewayError} forbidden, naming the permission or the app that is missing.
 */
export async function authorize(
  caller: Caller,
  action: Action,
  apiAppId: string | undefined,
  ownersOf: OwnersOf,
): Promise<readonly Rule[]> {
  if (action.reach === "no_app") return [];
  const rules = rulesFor(caller, action);
  if (rules.length === 0) throw new GatewayError("forbidden", { message: lacking(caller, action) });
  const allowed = await coveringRules(caller, action.reach, rules, apiAppId, ownersOf);
  if (allowed.length > 0) return allowed;
  throw new GatewayError("forbidden", { message: outOfReach(caller, action) });
}

async function coveringRules(
  caller: Caller,
  reach: Exclude<Reach, "no_app">,
  rules: readonly Rule[],
  id: string | undefined,
  ownersOf: OwnersOf,
): Promise<readonly Rule[]> {
  switch (reach) {
    case "listed_apps":
      return rules;
    case "new_app":
      return rules.filter(({ grant }) => covers(grant, { id: undefined, owner: caller.id }, caller));
    case "all_apps":
      return rules.filter(({ grant }) => grant.api_app_ids === "all");
    case "one_app": {
      const asks = isApiAppId(id) && needsOwner(caller, rules, id);
      const owner = asks ? (await ownersOf([id])).get(id) : undefined;
      return rules.filter(({ grant }) => covers(grant, { id, owner }, caller));
    }
  }
}

/**
 * Checks what the validated input names against the limits of the grants that let the action pass; each thing that it
 * names has to be allowed by one of them.
 * @returns the grants that it takes.
 * @throws {GatewayError} forbidden, naming what is not allowed.
 */
export function authorizeInput(
  caller: Caller,
  action: Action,
  rules: readonly Rule[],
  input: OperationInput,
): readonly Rule[] {
  const named = namedIn(action, input);
  const sole = rules.filter(({ grant }) => named.every((each) => permits(grant, each)));
  if (sole.length > 0) return sole;
  return named.map((each) => {
    const rule = rules.find(({ grant }) => permits(grant, each));
    if (rule) return rule;
    const what = Object.entries(each).map(
      ([limit, value]) => `the ${limit.replace(/_types$/, " type")} ${value}`,
    );
    throw new GatewayError("forbidden", {
      message: `Caller ${caller.id} holds ${action.permission}, but not for ${what}.`,
    });
  });
}

/** Each value of the input that a grant may limit. */
function namedIn({ limits = [] }: Action, { body, query }: OperationInput): Named[] {
  const { event_types = [], app_type = query["app_type"] } = (body ?? {}) as {
    readonly event_types?: readonly string[];
    readonly app_type?: string;
  };
  return [
    ...(limits.includes("event_types") ? event_types.map((each) => ({ event_types: each })) : []),
    ...(limits.includes("app_types") && app_type !== undefined ? [{ app_types: String(app_type) }] : []),
  ];
}

function lacking({ id, grants }: Caller, action: Action): string {
  return grants.some(({ permissions }) => permissions.includes(action.permission))
    ? `Caller ${id} holds ${action.permission} only with limits that ${action.id} cannot keep to.`
    : `Caller ${id} does not hold the permission ${action.permission}.`;
}

function outOfReach({ id }: Caller, { id: action, permission, reach }: Action): string {
  if (reach === "one_app") return `Caller ${id} does not hold ${permission} on this callback app.`;
  const needed = reach === "new_app" ? "own or all" : "all";
  return `Caller ${id} holds ${permission} on some callback apps; ${action} needs it on ${needed}.`;
}
