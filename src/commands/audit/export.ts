import { createWriteStream } from "node:fs";
import { pipeline } from "node:stream/promises";
import { parseArgs } from "node:util";
import { exportLine, exportRows } from "../../audit/export.ts";
import { type AuditFilter, type AuditStore, StoreError } from "../../audit/store.ts";
import { CommandFailure, type Terminal } from "../command.ts";
import { filterFlags, filterOf } from "./filter.ts";
import { withStore } from "./store.ts";

/** Characters to gather before they are written: a write for each record would cost more than the record. */
const chunkLength = 64 * 1024;

/** `audit export [flags of find] [--out FILE]`: all records that match, oldest first, as NDJSON that can be verified. */
export async function auditExport(args: readonly string[], terminal: Terminal): Promise<undefined> {
  const { values } = parseArgs({ args: [...args], options: { ...filterFlags, out: { type: "string" } } });
  const { out: file } = values;
  const filter = filterOf(values);
  await withStore(terminal, async (store) => {
    const chunks = chunksOf(store, filter);
    if (file === undefined) {
      // Each is waited for: whoever reads slowly must not make us hold what was not read yet.
      for await (const chunk of chunks) await terminal.out(chunk);
      return;
    }
    await pipeline(chunks, createWriteStream(file)).catch((error: Error) => {
      throw error instanceof StoreError ? error : new CommandFailure(`--out ${file}: ${error.message}`);
    });
    terminal.out(`Everything that matches is in ${file}\n`);
  });
}

async function* chunksOf(store: AuditStore, filter: AuditFilter): AsyncGenerator<string> {
  let chunk = "";
  for await (const row of exportRows(store, filter)) {
    chunk += `${exportLine(row)}\n`;
    if (chunk.length < chunkLength) continue;
    yield chunk;
    chunk = "";
  }
  yield chunk;
}
