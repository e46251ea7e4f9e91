import { verifyCallbackUrl } from "./challenge.ts";
import { appType, eventTypes, type Input, jsonObject, optionalString } from "./input.ts";
import { page } from "./page.ts";
import { badParameter } from "./reply.ts";
import type { CallbackApp, State } from "./state.ts";

/** One operation of the local Coze: written after FACTS (f) alone, so that it can catch the gateway's mistakes. */
export interface SandboxOperation {
  readonly method: "GET" | "POST" | "PUT" | "DELETE";
  readonly url: "/v1/api_apps" | "/v1/api_apps/:api_app_id" | "/v1/api_apps/:api_app_id/events";
  readonly permission: string;
  /** Performs the operation and gives the `data` of its success; undefined where Coze sends none. */
  run(state: State, input: Input, challengeTimeoutMs: number): unknown;
}

const app = "/v1/api_apps/:api_app_id";

/** The seven callback-app operations (FACTS (f)). */
export const sandboxOperations: readonly SandboxOperation[] = [
  { method: "POST", url: "/v1/api_apps", permission: "createApiApp", run: createApp },
  { method: "PUT", url: app, permission: "updateApiApp", run: updateApp },
  { method: "GET", url: "/v1/api_apps", permission: "listApiApp", run: listApps },
  { method: "DELETE", url: app, permission: "deleteApiApp", run: deleteApp },
  { method: "POST", url: `${app}/events`, permission: "subscribeApiAppEvent", run: subscribe },
  { method: "GET", url: `${app}/events`, permission: "listApiApp", run: listEvents },
  { method: "DELETE", url: `${app}/events`, permission: "unsubscribeApiAppEvent", run: unsubscribe },
];

/** Texts after callback-app-examples.json; Coze's own for the rest are not known. */
const descriptions: Readonly<Record<string, string>> = {
  "bot.published": "An agent was published",
  "bot.deleted": "An agent was deleted",
  "bot.unpublished": "An agent was unpublished",
  "benefit.usage": "Benefits were used",
  "benefit.plugin.scale.requested": "More capacity was requested for a plugin",
  "benefit.plugin.scale.expired": "Extra capacity of a plugin expired",
};

function createApp(state: State, input: Input): unknown {
  const body = jsonObject(input);
  const type = appType(body);
  if (type === undefined) throw badParameter("app_type is required");
  if (type === "connector") {
    const connectorId = optionalString(body, "connector_id");
    if (connectorId === undefined) throw badParameter("connector_id is required when app_type is connector");
    return describe(state.create({ appType: type, connectorId, name: `channel ${connectorId}` }));
  }
  const name = optionalString(body, "name");
  if (name === undefined) throw badParameter("name is required when app_type is normal");
  if ([...name].length > 128) throw badParameter("name must be at most 128 characters");
  return describe(state.create({ appType: type, connectorId: undefined, name }));
}

async function updateApp(state: State, input: Input, challengeTimeoutMs: number): Promise<void> {
  const body = jsonObject(input);
  const name = optionalString(body, "name");
  const callbackUrl = optionalString(body, "callback_url");
  state.app(input.apiAppId);
  if (callbackUrl !== undefined) {
    if (!/^https?:$/.test(URL.parse(callbackUrl)?.protocol ?? "")) {
      throw badParameter("callback_url must be an http or https URL");
    }
    await verifyCallbackUrl(callbackUrl, challengeTimeoutMs);
  }
  // Looked up again: the app may have been deleted while the callback URL was being checked.
  const updated = state.app(input.apiAppId);
  updated.name = name ?? updated.name;
  updated.callbackUrl = callbackUrl ?? updated.callbackUrl;
}

function listApps(state: State, input: Input): unknown {
  const type = appType(input.query);
  const apps = [...state.apps.values()].filter((each) => type === undefined || each.appType === type);
  const shown = page(apps, input.query);
  return { ...shown, items: shown.items.map(describe) };
}

function deleteApp(state: State, input: Input): void {
  state.apps.delete(state.app(input.apiAppId).id);
}

function subscribe(state: State, input: Input): void {
  const types = eventTypes(input);
  const subscriber = state.app(input.apiAppId);
  for (const type of types) state.subscribe(subscriber, type);
}

function listEvents(state: State, input: Input): unknown {
  const { id, name, events } = state.app(input.apiAppId);
  const shown = page(events.values(), input.query);
  const items = shown.items.map(({ eventType }) => ({
    api_app_id: id,
    name,
    event_type: eventType,
    description: descriptions[eventType] ?? "",
  }));
  return { ...shown, items };
}

function unsubscribe(state: State, input: Input): void {
  const types = eventTypes(input);
  const { events } = state.app(input.apiAppId);
  for (const type of types) events.delete(type);
}

/** The app in Coze's own field names, as create and list give it; what is undefined is left out of the JSON. */
export function describe(app: CallbackApp): Readonly<Record<string, string | undefined>> {
  return {
    id: app.id,
    name: app.name,
    app_type: app.appType,
    callback_url: app.callbackUrl,
    connector_id: app.connectorId,
    verify_token: app.verifyToken,
  };
}
