import type { Operation } from "../operation.ts";
import { apiAppParams } from "./schemas.ts";

/** Coze documents it with a Content-Type and no body; the body parser takes that for no body. */
export const deleteApiApp: Operation = {
  id: "delete_api_app",
  method: "DELETE",
  path: "/v1/api_apps/:api_app_id",
  permission: "deleteApiApp",
  idempotency: "idempotent",
  reach: "one_app",
  destructive: true,
  summary: "Delete a callback app",
  description: "Deletes a callback app: none of the events it subscribed to is delivered to it any more.",
  source: "delete_callback_app",
  params: apiAppParams,
  examples: {},
};
