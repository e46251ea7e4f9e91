import type { Action } from "../../operation.ts";
import { readAudit } from "../../operations/registry.ts";

/** Lists records of the audit trail, or exports all that match. */
export const listAuditEvents: Action = {
  id: "list_audit_events",
  permission: readAudit,
  idempotency: "safe",
  reach: "all_apps",
};

/** Reads one record of the audit trail. */
export const getAuditEvent: Action = {
  id: "get_audit_event",
  permission: readAudit,
  idempotency: "safe",
  reach: "all_apps",
};
