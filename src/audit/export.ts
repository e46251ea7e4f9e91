import { hashOf } from "./chain.ts";
import { recordId } from "./record.ts";
import type { AuditFilter, AuditStore, StoredRow } from "./store.ts";

const pageSize = 500;

/**
 * One row as a line of JSON, without the line break. `record` is the stored text byte for byte, so that whoever has
 * the line can check `hash` themselves; `intact` says whether it holds. A text that was never one of ours is `text`.
 */
export function exportLine(row: StoredRow): string {
  const { text, hash, position } = row;
  const record = isPlainJson(text) ? text : `null,"text":${quote(text)}`;
  const intact = hashOf(text) === hash;
  return `{"id":${quote(recordId(row))},"hash":${quote(hash)},"position":${position},"intact":${intact},"record":${record}}`;
}

/**
 * All rows that match, oldest first, a page at a time: the next page is fetched when the last one was taken. It ends
 * at the newest row that is there when it comes to the end.
 */
export async function* exportRows(
  store: Pick<AuditStore, "find">,
  filter: AuditFilter,
): AsyncGenerator<StoredRow> {
  let after: number | undefined;
  for (;;) {
    const rows = await store.find(filter, { order: "oldest_first", after, limit: pageSize });
    yield* rows;
    if (rows.length < pageSize) return;
    after = rows.at(-1)?.position;
  }
}

/** Records are printable ASCII: anything else could split the line, or write to somebody's terminal. */
function isPlainJson(text: string): boolean {
  if (!/^\{[ -~]*\}$/.test(text)) return false;
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** The text with everything but printable ASCII as JSON escapes, so that nothing in it acts on whatever shows it. */
export function asciiOf(text: string): string {
  return text.replace(/[^ -~]/g, (found) => `\\u${found.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

function quote(text: string): string {
  return asciiOf(JSON.stringify(text));
}
