import { hash as digest } from "node:crypto";
import { type AuditRecord, auditRecord, recordId } from "../record.ts";
import { type Labels, labelsOf, type StoredRow } from "../store.ts";
import type { Findings } from "./findings.ts";

/**
 * Checks a row by itself: the text has its hash, is a record, and the columns repeat what it says.
 * @returns the record; undefined when it cannot be believed, which is then among the findings.
 */
export function readRow(row: StoredRow, findings: Findings): AuditRecord | undefined {
  const { position } = row;
  const id = recordId(row);
  // In one go: for a million short texts it takes half the time of a Hash object each. A damaged store can give no text.
  if (digest("sha256", String(row.text)) !== row.hash) {
    findings.add("altered", { id, position, what: "its text does not have the hash that is stored with it" });
    return undefined;
  }
  const read = parse(row.text);
  if (!read) {
    findings.add("unreadable", { id, position, what: "its text has its hash, but is no audit record" });
    return undefined;
  }
  const wrong = differenceOf(row, read.labels);
  if (wrong === undefined) return read.record;
  findings.add("mislabeled", { id, position, what: `its column ${wrong} does not say what its text says` });
  return undefined;
}

/** Records whose links are followed must be right in every field; to check that of all would take most of the time. */
const followed = ["opened", "closed"];

function parse(text: string): { record: AuditRecord; labels: Labels } | undefined {
  try {
    if (!text.startsWith("{")) return undefined;
    const record: AuditRecord = JSON.parse(text);
    if (followed.includes(record.kind)) auditRecord.parse(record);
    return { record, labels: labelsOf(record) };
  } catch {
    return undefined;
  }
}

function differenceOf(row: Labels, labels: Labels): string | undefined {
  let column: keyof Labels;
  for (column in labels) {
    if (column !== "logids" && row[column] !== labels[column]) return column;
  }
  const { logids } = labels;
  const same = row.logids.length === logids.length && logids.every((logid, at) => logid === row.logids[at]);
  return same ? undefined : "logids";
}
