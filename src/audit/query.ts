import type { AuditFilter, Page } from "./store.ts";

/** A condition in SQL and the values of its placeholders `$1`, `$2`, ... in order. */
export interface Condition {
  readonly sql: string;
  readonly values: readonly (string | number)[];
}

const columns = [
  "kind",
  "request_id",
  "caller",
  "credential_id",
  "operation",
  "api_app_id",
  "outcome",
] as const;

/**
 * What a page of a filtered list asks of a row of `audit_record`; `true` when it asks nothing.
 * @param hasLogid the SQL that says whether a row has the logid of a placeholder; the stores keep them differently.
 */
export function conditionOf(
  filter: AuditFilter,
  page: Page,
  hasLogid: (placeholder: string) => string,
): Condition {
  const values: (string | number)[] = [];
  const parts: string[] = [];
  const ask = (value: string | number | undefined, sql: (placeholder: string) => string) => {
    if (value === undefined) return;
    values.push(value);
    parts.push(sql(`$${values.length}`));
  };
  for (const column of columns) ask(filter[column], (placeholder) => `${column} = ${placeholder}`);
  ask(filter.logid, hasLogid);
  ask(filter.from, (placeholder) => `time >= ${placeholder}`);
  ask(filter.to, (placeholder) => `time < ${placeholder}`);
  if (page.order === "newest_first") ask(page.before, (placeholder) => `position < ${placeholder}`);
  else ask(page.after, (placeholder) => `position > ${placeholder}`);
  return { sql: parts.join(" AND ") || "true", values };
}
