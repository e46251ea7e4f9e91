import type { OwnersOf } from "../callers/authorize.ts";
import { type Caller, limitsOf } from "../callers/callers-file.ts";
import { type App, covers, permits, type Rule, rulesFor } from "../callers/grants.ts";
import { isMutating, type Operation } from "../operation.ts";
import { readVerifyToken } from "../operations/registry.ts";
import type { ItemFacts } from "./reply/outline.ts";
import { Reply } from "./reply/reply.ts";

/** To whom a reply is shown, and which of the caller's grants let the call pass. */
export interface Viewer {
  readonly caller: Caller;
  readonly rules: readonly Rule[];
  readonly ownersOf: OwnersOf;
}

/**
 * Coze's reply as a caller may see it: the items of its lists that its grants cover, and `verify_token` only of the apps
 * on which it holds readVerifyToken; every other byte as Coze sent it.
 * @throws {UnreadableReply} rather than show what may have to be hidden.
 * @throws {GatewayError} when it takes the owners of apps and these cannot be read now.
 */
export async function shownTo(
  { caller, rules, ownersOf }: Viewer,
  operation: Operation,
  body: Buffer,
): Promise<Buffer> {
  const reply = new Reply(body);
  const secretRules = rulesFor(caller, { permission: readVerifyToken });
  const filter = itemFilter(operation, caller, rules);
  const deciding = filter && operation.reach === "listed_apps" ? [...secretRules, ...rules] : secretRules;
  const owners = deciding.some(({ grant }) => grant.api_app_ids === "own")
    ? await ownersIn(reply, operation, caller, ownersOf)
    : undefined;
  const appOf = (id: string | undefined): App => ({ id, owner: id && owners?.get(id) });
  return reply.view({
    showsVerifyToken: secretRules.some(({ grant }) => grant.api_app_ids === "all")
      ? "all"
      : (id) => secretRules.some(({ grant }) => covers(grant, appOf(id), caller)),
    showsItem: filter && ((item) => filter(item, appOf(item.id))),
  });
}

type ItemFilter = (item: ItemFacts, app: App) => boolean;

/**
 * What tells whether an item may be seen; undefined when the grants show them all. What an item does not say counts as
 * something that no grant names.
 */
function itemFilter(operation: Operation, caller: Caller, rules: readonly Rule[]): ItemFilter | undefined {
  const unlimited = rules.some(
    ({ grant }) =>
      limitsOf(grant).length === 0 && (operation.reach === "one_app" || grant.api_app_ids === "all"),
  );
  if (unlimited || isMutating(operation)) return undefined;
  return ({ app_type = "", event_type = "" }, app) =>
    rules.some(
      ({ grant }) =>
        (operation.reach === "one_app" || covers(grant, app, caller)) &&
        permits(grant, { app_types: app_type, event_types: event_type }),
    );
}

/** The owners of the apps in a reply; an app that was just made is its maker's, before any store knows it. */
async function ownersIn(
  reply: Reply,
  { reach }: Operation,
  caller: Caller,
  ownersOf: OwnersOf,
): Promise<ReadonlyMap<string, string>> {
  const ids = [...reply.ids()];
  return reach === "new_app" ? new Map(ids.map((id) => [id, caller.id])) : ownersOf(ids);
}
