import * as z from "zod";
import type { AuditKind, AuditOutcome } from "../../audit/record.ts";
import type { AuditFilter, Page } from "../../audit/store.ts";
import { GatewayError, type Issue } from "../../errors.ts";

/** The query of the list, as `auditQuery` of the schemas lets it through. */
export interface AuditQuery {
  readonly from?: string;
  readonly to?: string;
  readonly kind?: AuditKind;
  readonly request_id?: string;
  readonly caller?: string;
  readonly credential_id?: string;
  readonly operation?: string;
  readonly api_app_id?: string;
  readonly outcome?: AuditOutcome;
  readonly logid?: string;
  readonly order?: Page["order"];
  readonly page_size?: number;
  readonly page_token?: string;
}

/** Records on a page when the caller does not say how many. */
export const defaultPageSize = 50;
/** Records on a page at most. */
export const mostPageSize = 100;

/** A date is its midnight in UTC. The schema has checked the form; this checks that the calendar has it. */
const time = z.union([z.iso.datetime({ offset: true }), z.iso.date()]).transform((text) => Date.parse(text));

/**
 * Which records a query asks for.
 * @throws {GatewayError} invalid_request, when a time does not exist or no time lies between the two.
 */
export function filterOf(query: AuditQuery): AuditFilter {
  const { kind, request_id, caller, credential_id, operation, api_app_id, outcome, logid } = query;
  const from = timeOf("from", query.from);
  const to = timeOf("to", query.to);
  if (from !== undefined && to !== undefined && from >= to) {
    // Answered with an empty list, this would read as "nothing happened".
    throw invalid([{ path: "query.to", message: "must be later than `from`; `to` itself is not included" }]);
  }
  return { from, to, kind, request_id, caller, credential_id, operation, api_app_id, outcome, logid };
}

/**
 * Refuses what belongs to pages only: an export has none.
 * @throws {GatewayError} invalid_request, naming every such parameter.
 */
export function refusePaging({ page_size, page_token, order }: AuditQuery): void {
  const issues: Issue[] = [];
  const message = "cannot be used with Accept: application/x-ndjson, which answers everything, oldest first";
  if (page_size !== undefined) issues.push({ path: "query.page_size", message });
  if (page_token !== undefined) issues.push({ path: "query.page_token", message });
  if (order === "newest_first") issues.push({ path: "query.order", message });
  if (issues.length > 0) throw invalid(issues);
}

function timeOf(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const { data, success } = time.safeParse(text);
  if (!success) throw invalid([{ path: `query.${name}`, message: "is not a time that the calendar has" }]);
  return data;
}

function invalid(issues: readonly Issue[]): GatewayError {
  return new GatewayError("invalid_request", { issues });
}
