import { exportLine } from "../../audit/export.ts";
import { parseRecordId, recordId } from "../../audit/record.ts";
import { GatewayError } from "../../errors.ts";
import type { AuditReader } from "./reader.ts";

/** More records of one request than this are not named. */
const mostRelated = 20;

/**
 * One record, as the JSON text of `data`, and the ids of the others of its request; undefined when there is none.
 * @throws {GatewayError} invalid_request, when this cannot be an id.
 */
export async function eventOf(store: AuditReader, id: string): Promise<string | undefined> {
  const place = parseRecordId(id);
  if (!place) {
    const message = "is not the id of a record: <stream>:<seq>, as lists show it";
    throw new GatewayError("invalid_request", { issues: [{ path: "params.id", message }] });
  }
  // The next row after the place: the one that is there, or a later one.
  const [row] = await store.chain(place, 1);
  if (row?.stream !== place.stream || row.seq !== place.seq) return undefined;
  const related = row.request_id === null ? [] : await relatedTo(store, id, row.request_id);
  return `${exportLine(row).slice(0, -1)},"related":${JSON.stringify(related)}}`;
}

async function relatedTo(store: AuditReader, id: string, requestId: string): Promise<string[]> {
  const rows = await store.find({ request_id: requestId }, { order: "oldest_first", limit: mostRelated + 1 });
  // A column that was edited can say anything; only what can be asked for is passed on.
  return rows
    .map(recordId)
    .filter((other) => other !== id && parseRecordId(other))
    .slice(0, mostRelated);
}
