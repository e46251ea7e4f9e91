import { once } from "node:events";
import { Readable } from "node:stream";
import { exportLine, exportRows } from "../../audit/export.ts";
import type { AuditFilter } from "../../audit/store.ts";
import type { AuditReader } from "./reader.ts";

/** Characters to gather before they are sent: a write for each record would cost more than the record. */
const chunkLength = 64 * 1024;

/**
 * Everything that matches and is stored by now, oldest first, as NDJSON. It reads on as fast as it is read itself and
 * holds a page of rows and a chunk; destroying it ends the reading. An error of the store is an error of the stream.
 */
export async function exportOf(store: AuditReader, filter: AuditFilter): Promise<Readable> {
  const [newest] = await store.find({}, { order: "newest_first", limit: 1 });
  const lines = Readable.from(chunksOf(store, filter, newest?.position ?? 0));
  // Its first chunk or its end is there: what goes wrong before can still be answered as an error.
  await once(lines, "readable");
  return lines;
}

/** Ends at `last`, or the records that are written meanwhile could keep a slow export going for ever. */
async function* chunksOf(store: AuditReader, filter: AuditFilter, last: number): AsyncGenerator<string> {
  let chunk = "";
  for await (const row of exportRows(store, filter)) {
    if (row.position > last) break;
    chunk += `${exportLine(row)}\n`;
    if (chunk.length < chunkLength) continue;
    yield chunk;
    chunk = "";
  }
  if (chunk !== "") yield chunk;
}
