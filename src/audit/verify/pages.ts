import { type AuditStore, type ChainPoint, type StoredRow, StoreError } from "../store.ts";

/** Rows of one page. Larger ones are not faster, and live long enough to fill the memory before they are collected. */
export const pageSize = 250;

/** All rows in the order of chains, page by page; the next page is fetched while the last one is worked on. */
export async function* chainPages(store: Pick<AuditStore, "chain">): AsyncGenerator<StoredRow[]> {
  let next = chainPage(store, undefined, pageSize);
  for (;;) {
    const rows = await next;
    const last = rows.at(-1);
    if (!last) return;
    next = chainPage(store, pointOf(last), pageSize);
    // It is told to whoever asks for the next page, not to the process.
    next.catch(() => undefined);
    yield rows;
  }
}

/**
 * One page in the order of chains.
 * @throws {StoreError} also when the store goes back in that order: going on would have no end.
 */
export async function chainPage(
  store: Pick<AuditStore, "chain">,
  after: ChainPoint | undefined,
  limit: number,
): Promise<StoredRow[]> {
  const rows = await store.chain(after, limit);
  const last = rows.at(-1);
  if (after && last && compare(last, after) <= 0) {
    throw new StoreError("it does not list its records in their order", { permanent: true });
  }
  return rows;
}

/** The point in the order of chains from which to go on after a row. */
export function pointOf({ stream, seq, position }: StoredRow): ChainPoint {
  return { stream, seq, position };
}

function compare(row: StoredRow, { stream, seq, position = Number.NEGATIVE_INFINITY }: ChainPoint): number {
  return (
    Buffer.compare(Buffer.from(row.stream), Buffer.from(stream)) || row.seq - seq || row.position - position
  );
}
