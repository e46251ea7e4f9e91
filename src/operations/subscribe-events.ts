import type { Operation } from "../operation.ts";
import { apiAppParams, eventTypes } from "./schemas.ts";

/** Adds to what is subscribed already; it does not replace it. */
export const subscribeEvents: Operation = {
  id: "subscribe_events",
  method: "POST",
  path: "/v1/api_apps/:api_app_id/events",
  permission: "subscribeApiAppEvent",
  idempotency: "idempotent",
  reach: "one_app",
  limits: ["event_types"],
  summary: "Subscribe a callback app to events",
  description: "Adds event types to those that Coze delivers to the app's callback URL.",
  source: "subscribe_callback_message",
  params: apiAppParams,
  body: eventTypes,
  examples: { body: { event_types: ["bot.published", "bot.deleted"] } },
};
