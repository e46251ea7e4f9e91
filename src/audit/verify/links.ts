import { type AuditRecord, type Link, recordId } from "../record.ts";
import type { AuditStore, StoredRow } from "../store.ts";
import type { Findings } from "./findings.ts";
import type { Prunings } from "./prunings.ts";

/** What looking beyond one stream takes. */
export interface Surroundings {
  readonly store: Pick<AuditStore, "chain" | "find" | "unfinished" | "damage">;
  readonly prunings: Prunings;
  readonly findings: Findings;
}

/**
 * Checks what a record says of records of other streams: the one that was the newest when its process started, and
 * the attempt of a dead process that it closes. So the end of an older stream cannot be cut without a trace.
 */
export async function checkReferences(
  row: StoredRow,
  { kind, follows, closes }: AuditRecord,
  around: Surroundings,
): Promise<void> {
  const place = kind === "opened" ? follows : closes;
  if (!place) return;
  const by = recordId(row);
  const found = await find(place, by, around);
  if (!found) return;
  const at = { id: recordId(found), position: found.position };
  const { findings } = around;
  if (kind === "opened" ? found.hash !== follows?.hash : found.kind !== "attempt") {
    findings.add("rewritten", { ...at, what: `${by} knew it as another record` });
  }
  if (found.position >= row.position) {
    findings.add("out_of_order", { ...at, what: `its position is not below that of ${by}, which names it` });
  }
}

/** The row that a record names; undefined when it is gone, which is a fault unless retention removed it. */
async function find(
  place: Omit<Link, "hash">,
  by: string,
  { store, prunings, findings }: Surroundings,
): Promise<StoredRow | undefined> {
  const { stream, seq } = place;
  const [row] = await store.chain({ stream, seq }, 1);
  if (row?.stream === stream && row.seq === seq) return row;
  // Where the stream goes on after it, the walk through that stream reports the hole.
  if (row?.stream === stream || (await prunings.covering(stream, seq))) return undefined;
  findings.add("cut", { id: recordId(place), what: `${by} names it, but its stream ends before it` });
  return undefined;
}
