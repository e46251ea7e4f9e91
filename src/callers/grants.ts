import type { Action, Limit } from "../operation.ts";
import { type Caller, type Grant, limitsOf } from "./callers-file.ts";

/** So many names fit where a record of the audit trail has place for them. */
const mostNames = 8;

/** A grant of a caller, and its name: its place in the callers file, as log, audit and whoami show it. */
export interface Rule {
  readonly name: string;
  readonly grant: Grant;
}

/** A callback app of which it is to be decided whether a caller may touch or see it. */
export interface App {
  readonly id: string | undefined;
  /** The caller that owns it, as far as the gateway knows. */
  readonly owner: string | undefined;
}

/** What a request or a reply names that a grant may limit. */
export type Named = Readonly<Partial<Record<Limit, string>>>;

/** The grants of a caller that concern an action; one with a limit that the action cannot keep to is none of them. */
export function rulesFor(caller: Caller, action: Pick<Action, "permission" | "limits">): Rule[] {
  return caller.grants
    .map((grant, index): Rule => ({ name: `grants[${index}]`, grant }))
    .filter(({ grant }) => grant.permissions.includes(action.permission))
    .filter(({ grant }) => limitsOf(grant).every((limit) => action.limits?.includes(limit)));
}

/** Whether a grant holds for an app. */
export function covers({ api_app_ids: ids }: Grant, { id, owner }: App, caller: Caller): boolean {
  if (ids === "all") return true;
  if (ids === "own") return owner === caller.id;
  return id !== undefined && ids.includes(id);
}

/** Whether a grant's limits let pass what is named; what is not named is not limited. */
export function permits(grant: Grant, named: Named): boolean {
  return limitsOf(grant).every((limit) => {
    const given = named[limit];
    return given === undefined || (grant[limit] as readonly string[]).includes(given);
  });
}

/** Whether it takes the owner of an app to tell what the rules let pass on it. */
export function needsOwner(caller: Caller, rules: readonly Rule[], id?: string): boolean {
  const app = { id, owner: undefined };
  const freely = rules.some(({ grant }) => limitsOf(grant).length === 0 && covers(grant, app, caller));
  return !freely && rules.some(({ grant }) => grant.api_app_ids === "own");
}

/** Names of rules in one word, such as `grants[0]+grants[2]`, each of which would do. Empty without rules. */
export function nameOf(rules: readonly Rule[] = []): string {
  const names = [...new Set(rules.map(({ name }) => name))];
  return [...names.slice(0, mostNames), ...(names.length > mostNames ? ["..."] : [])].join("+");
}
