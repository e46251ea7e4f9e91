import type { Operation } from "../operation.ts";
import { apiAppParams, eventTypes } from "./schemas.ts";

/** The one DELETE that has a body. */
export const unsubscribeEvents: Operation = {
  id: "unsubscribe_events",
  method: "DELETE",
  path: "/v1/api_apps/:api_app_id/events",
  permission: "unsubscribeApiAppEvent",
  idempotency: "idempotent",
  reach: "one_app",
  limits: ["event_types"],
  destructive: true,
  summary: "Unsubscribe a callback app from events",
  description: "Removes event types from those that Coze delivers. The DELETE carries a JSON body.",
  source: "unsubscribe_callback_message",
  params: apiAppParams,
  body: eventTypes,
  examples: { body: { event_types: ["bot.published"] } },
};
