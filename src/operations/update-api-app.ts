import type { Operation } from "../operation.ts";
import { apiAppParams } from "./schemas.ts";

/** The slow one: Coze calls the new callback URL before it answers. */
export const updateApiApp: Operation = {
  id: "update_api_app",
  method: "PUT",
  path: "/v1/api_apps/:api_app_id",
  permission: "updateApiApp",
  idempotency: "idempotent",
  reach: "one_app",
  summary: "Rename a callback app or set its callback URL",
  description:
    "Changes the name, the callback URL or both. Before it answers, Coze posts a `url_verification` challenge to a new " +
    "URL, which must be echoed within 3 s: be ready to answer before calling this.",
  source: "update_callback_app",
  params: apiAppParams,
  body: {
    type: "object",
    minProperties: 1,
    additionalProperties: false,
    properties: {
      name: { type: "string" },
      callback_url: {
        type: "string",
        format: "uri",
        pattern: "^[Hh][Tt][Tt][Pp][Ss]?://[^/?#\\s]",
        maxLength: 2048,
        description: "An http or https URL.",
      },
    },
  },
  examples: { body: { callback_url: "https://hooks.example.com/coze/orders" } },
  minAttemptTimeoutMs: 8000,
};
