import type { Operation } from "../operation.ts";
import { apiAppId, apiAppParams, page, paging } from "./schemas.ts";

/** It has no permission of its own: Coze asks for that of listing apps. */
export const listSubscribedEvents: Operation = {
  id: "list_subscribed_events",
  method: "GET",
  path: "/v1/api_apps/:api_app_id/events",
  permission: "listApiApp",
  idempotency: "safe",
  reach: "one_app",
  limits: ["event_types"],
  summary: "List the events that a callback app is subscribed to",
  description:
    "Lists subscribed event types page by page. Coze asks for the same permission as for listing apps.",
  source: "list_subscribed_callback_message",
  params: apiAppParams,
  query: { type: "object", additionalProperties: false, properties: paging },
  data: page({
    type: "object",
    required: ["api_app_id", "event_type"],
    properties: {
      api_app_id: apiAppId,
      name: { type: "string" },
      event_type: { type: "string" },
      description: { type: "string" },
    },
  }),
  examples: {
    data: {
      items: [
        {
          api_app_id: "7512345678901234567",
          name: "order events",
          event_type: "bot.published",
          description: "An agent was published",
        },
      ],
      has_more: false,
    },
  },
};
