import type { Operation } from "../operation.ts";
import { apiAppData, apiAppIdPattern, appType } from "./schemas.ts";

/** Linters of OpenAPI look for the fields of a `required` beside it; these allow any value, as the rules stand above. */
const named = { app_type: {}, name: {}, connector_id: {} };

/** The one operation that must not be repeated blindly: each call makes another app. */
export const createApiApp: Operation = {
  id: "create_api_app",
  method: "POST",
  path: "/v1/api_apps",
  permission: "createApiApp",
  idempotency: "once",
  reach: "new_app",
  limits: ["app_types"],
  summary: "Create a callback app",
  description:
    "Creates a callback app and returns its `verify_token`. A repeat creates a second app: after an outcome of `unknown`, " +
    "list the apps and compare before creating again. The callback URL is set by update_api_app.",
  source: "create_callback_app",
  body: {
    type: "object",
    required: ["app_type"],
    additionalProperties: false,
    properties: {
      app_type: appType,
      name: { type: "string", minLength: 1, maxLength: 128, description: "Required for `normal`." },
      connector_id: {
        type: "string",
        pattern: apiAppIdPattern,
        description: "Id of the publishing channel. Required for `connector`.",
      },
    },
    allOf: [
      {
        if: { required: ["app_type"], properties: { app_type: { const: "normal" } } },
        then: { required: ["name"], properties: named },
      },
      {
        if: { required: ["app_type"], properties: { app_type: { const: "connector" } } },
        then: { required: ["connector_id"], properties: named },
      },
    ],
  },
  data: apiAppData,
  examples: {
    body: { app_type: "normal", name: "order events" },
    data: { id: "7512345678901234567", name: "order events", app_type: "normal", verify_token: "EXAMPLE" },
  },
};
