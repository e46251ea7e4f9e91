import type t from "tap";
import type { Test } from "tap";
import type { AuditStore, Page, Row, StoredRow, StoreOptions } from "../../src/audit/store.ts";

/** What a subtest gives to the maker of an empty place. */
export type Scope = Pick<typeof t, "testdir" | "teardown">;

/** Opens the store of one place, each time anew; a store that holds nothing yet when it is opened to write first. */
export type Open = (options: StoreOptions) => Promise<AuditStore>;

/** Makes one subtest with a place of its own. */
export type Check = (what: string, body: (t: Test, open: Open) => Promise<void>) => void;

/** The row without its position, to compare with what was appended. */
export function plain({ position: _, ...row }: StoredRow): Row {
  return { ...row };
}

/** The numbers of the rows. */
export const seqs = (rows: readonly StoredRow[]) => rows.map(({ seq }) => seq);

/** The ids of the rows. */
export const ids = (rows: readonly StoredRow[]) => rows.map(({ stream, seq }) => `${stream}:${seq}`);

/** The pages that have all rows of a test. */
export const newest: Page = { order: "newest_first", limit: 1000 };
export const oldest: Page = { order: "oldest_first", limit: 1000 };

/** Stores the rows of some streams, one after the other, as a process that was opened for the first of them, and ends. */
export async function write(open: Open, ...trails: readonly (readonly Row[])[]): Promise<void> {
  const store = await open({ stream: trails[0]?.[0]?.stream });
  for (const rows of trails) await store.append(rows, undefined);
  await store.close();
}
