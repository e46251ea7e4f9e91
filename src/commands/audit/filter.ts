import * as z from "zod";
import { auditKinds, auditOutcomes } from "../../audit/record.ts";
import type { AuditFilter } from "../../audit/store.ts";
import { UsageError } from "../command.ts";

const text = { type: "string" } as const;

/** The flags that choose records, for parseArgs. */
export const filterFlags = {
  logid: text,
  "request-id": text,
  caller: text,
  "credential-id": text,
  operation: text,
  "api-app-id": text,
  outcome: text,
  kind: text,
  from: text,
  to: text,
} as const;

/** What parseArgs makes of these flags. */
export type FilterValues = { readonly [Flag in keyof typeof filterFlags]?: string | undefined };

/** The only forms that mean the same everywhere; `new Date` alone takes many more, some of them in local time. */
const date = z.union([z.iso.date(), z.iso.datetime({ offset: true })]);

/**
 * The filter that the flags ask for.
 * @throws {UsageError} that says what a flag takes.
 */
export function filterOf(values: FilterValues): AuditFilter {
  const { logid, caller, operation } = values;
  return {
    logid,
    caller,
    operation,
    request_id: values["request-id"],
    credential_id: values["credential-id"],
    api_app_id: values["api-app-id"],
    outcome: oneOf(auditOutcomes, "--outcome", values.outcome),
    kind: oneOf(auditKinds, "--kind", values.kind),
    from: timeOf("--from", values.from),
    to: timeOf("--to", values.to),
  };
}

function oneOf<T extends string>(
  words: readonly T[],
  flag: string,
  value: string | undefined,
): T | undefined {
  const found = words.find((word) => word === value);
  if (value !== undefined && !found) throw new UsageError(`${flag} must be one of ${words.join(", ")}`);
  return found;
}

function timeOf(flag: string, value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  if (date.safeParse(value).success) return Date.parse(value);
  throw new UsageError(`${flag} must be a date or a time, such as 2027-01-31 or 2027-01-31T12:00:00+08:00`);
}
