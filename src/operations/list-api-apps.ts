import type { Operation } from "../operation.ts";
import { apiAppData, appType, page, paging } from "./schemas.ts";

/** Its replies hold the `verify_token` of every app, the reason why bodies are never logged. */
export const listApiApps: Operation = {
  id: "list_api_apps",
  method: "GET",
  path: "/v1/api_apps",
  permission: "listApiApp",
  idempotency: "safe",
  reach: "listed_apps",
  limits: ["app_types"],
  summary: "List callback apps",
  description: "Lists callback apps page by page, each with its `verify_token`.",
  source: "list_callback_app",
  query: {
    type: "object",
    additionalProperties: false,
    properties: { ...paging, app_type: appType },
  },
  data: page(apiAppData),
  examples: {
    data: {
      items: [
        { id: "7512345678901234567", name: "order events", app_type: "normal", verify_token: "EXAMPLE" },
      ],
      has_more: true,
      next_page_token: "1773193512",
    },
  },
};
