import type { Operation } from "../operation.ts";
import { createApiApp } from "./create-api-app.ts";
import { deleteApiApp } from "./delete-api-app.ts";
import { listApiApps } from "./list-api-apps.ts";
import { listSubscribedEvents } from "./list-subscribed-events.ts";
import { subscribeEvents } from "./subscribe-events.ts";
import { unsubscribeEvents } from "./unsubscribe-events.ts";
import { updateApiApp } from "./update-api-app.ts";

/** Every operation that the gateway forwards; a path that is not here is 404 and never reaches Coze. */
export const operations: readonly Operation[] = [
  createApiApp,
  updateApiApp,
  listApiApps,
  deleteApiApp,
  subscribeEvents,
  listSubscribedEvents,
  unsubscribeEvents,
];

/** Permission of the gateway's own: to read its audit trail. */
export const readAudit = "readAudit";

/** Permission of the gateway's own: to see the `verify_token` of callback apps, which Coze's replies hold. */
export const readVerifyToken = "readVerifyToken";

/** The permissions that a grant may name: Coze's own words, and the gateway's for what only it has. */
export const permissions: ReadonlySet<string> = new Set([
  ...operations.map((operation) => operation.permission),
  readAudit,
  readVerifyToken,
]);
