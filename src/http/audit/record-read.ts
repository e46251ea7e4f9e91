import type { AuditTrail } from "../../audit/trail.ts";
import { GatewayError } from "../../errors.ts";
import { appIn, subjectOf } from "../audited.ts";
import { credentialOf } from "../context.ts";
import type { AuditRouteOptions } from "./routes.ts";

/**
 * Makes what records a read of the gateway's own, before its reply.
 * @returns a function that rejects with audit_unavailable when the read cannot be recorded.
 */
export function readRecorder(trail: AuditTrail): AuditRouteOptions["recordRead"] {
  return async (request, { fields, api_app_id }) => {
    const credential = credentialOf(request);
    const { operation } = request.routeOptions.config;
    if (!operation) throw new GatewayError("internal");
    const subject = subjectOf(operation, request, credential);
    const asked = { ...appIn(api_app_id), fields: [...fields].sort() };
    const begun = await trail.begin({ ...subject, ...asked }, false);
    const recorded = await trail.conclude(begun, { outcome: "done", status: 200 });
    if (!recorded) throw new GatewayError("audit_unavailable");
  };
}
