import { hashOf } from "./chain.ts";
import { type AuditRecord, auditRecord } from "./record.ts";
import type { StoredRow } from "./store.ts";

/** The record in a stored row; undefined when its text is none, or does not have its hash. */
export function recordIn({ text, hash }: Pick<StoredRow, "text" | "hash">): AuditRecord | undefined {
  if (hashOf(text) !== hash) return undefined;
  try {
    return auditRecord.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}
