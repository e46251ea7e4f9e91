import { exportLine } from "../../audit/export.ts";
import { pageToken, positionOf } from "./page-token.ts";
import { type AuditQuery, defaultPageSize, filterOf } from "./query.ts";
import type { AuditReader } from "./reader.ts";

/**
 * One page of the trail, as the JSON text of `data`. Pages go on by position, and new records only ever get higher
 * ones, so nothing is repeated or left out while records are written. Oldest first, there is always a token: it
 * goes on with what will have been written by then.
 * @throws {GatewayError} invalid_request, when times, size or token are wrong.
 */
export async function pageOf(store: AuditReader, query: AuditQuery): Promise<string> {
  const { order = "newest_first", page_size: size = defaultPageSize, page_token: token } = query;
  const filter = filterOf(query);
  const scope = JSON.stringify([order, filter]);
  const start = token ? positionOf(token, scope) : undefined;
  // One more than asked for tells whether there is more.
  const limit = size + 1;
  const rows = await store.find(
    filter,
    order === "newest_first" ? { order, before: start, limit } : { order, after: start, limit },
  );
  const items = rows.slice(0, size);
  const hasMore = rows.length > size;
  const end = items.at(-1)?.position ?? start ?? 0;
  const next = hasMore || order === "oldest_first" ? `,"next_page_token":"${pageToken(end, scope)}"` : "";
  return `{"items":[${items.map(exportLine).join(",")}],"has_more":${hasMore}${next}}`;
}
