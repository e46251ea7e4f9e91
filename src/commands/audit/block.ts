import { hashOf } from "../../audit/chain.ts";
import { asciiOf, exportLine } from "../../audit/export.ts";
import { type AuditRecord, auditRecord, recordId } from "../../audit/record.ts";
import type { StoredRow } from "../../audit/store.ts";

/** What is shown of a record besides its time, kind, outcome, attempts and id. */
const fields = [
  "caller",
  "subject",
  "credential_id",
  "operation",
  "api_app_id",
  "owner",
  "previous_owner",
  "operator",
  "event_types",
  "fields",
  "rule",
  "policy_version",
  "dry_run",
  "status",
  "error",
  "stopped",
  "request_id",
  "version",
  "repaired_bytes",
  "pruned_segments",
  "pruned_records",
] as const;

/** A record as whoever is on call wants to read it: when, what, who, how Coze answered, and the id to go on with. */
export function blockOf(row: StoredRow): string {
  const record = read(row);
  // It was not written like this by a gateway, so nothing in it is made out to be a fact.
  if (!record) return `NOT INTACT, see audit verify\n  ${exportLine(row)}\n`;
  const { time, kind, outcome = "", attempts = [], closes, follows } = record;
  const lines = [
    `${time}  ${kind} ${outcome}`.trimEnd(),
    fields
      .flatMap((name) => {
        const value = record[name];
        // Only an owner can be empty.
        return value === undefined ? [] : `${name} ${value === "" ? "(nobody)" : value}`;
      })
      .join("  "),
    ...attempts.map((attempt) =>
      Object.entries(attempt)
        .map(([name, value]) => `${name} ${value}`)
        .join("  "),
    ),
    [
      `id ${recordId(record)}`,
      ...(closes ? [`closes ${recordId(closes)}`] : []),
      ...(follows ? [`follows ${recordId(follows)}`] : []),
    ].join("  "),
  ];
  return `${lines.filter(Boolean).map(asciiOf).join("\n  ")}\n`;
}

function read({ text, hash }: StoredRow): AuditRecord | undefined {
  if (hashOf(text) !== hash) return undefined;
  try {
    return auditRecord.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}
