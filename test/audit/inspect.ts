import { openStore } from "../../src/audit/open-store.ts";
import { type AuditRecord, auditRecord } from "../../src/audit/record.ts";
import { SqliteEngine } from "../../src/audit/sqlite/engine.ts";
import { unpack } from "../../src/audit/sqlite/row.ts";
import type { AuditStore, StoredRow } from "../../src/audit/store.ts";
import { type VerifyReport, verify } from "../../src/audit/verify/verify.ts";
import { StoreUrl } from "../../src/config/store-url.ts";

/** A whole trail as an auditor sees it. */
export interface Inspection {
  readonly report: VerifyReport;
  /** Every record, in the order in which they were stored. */
  readonly records: readonly AuditRecord[];
  readonly rows: readonly StoredRow[];
}

/**
 * Reads and verifies the store at a URL, as AUDIT_STORE names it, while others may write it.
 * @param log lines of gateways, which are the anchors.
 */
export async function inspect(url: string, log: Iterable<string> = []): Promise<Inspection> {
  const store = await openToRead(new StoreUrl(url));
  try {
    const report = await verify(store, { anchors: each(log) });
    const rows = await allRows(store);
    return { report, rows, records: rows.map(({ text }) => auditRecord.parse(JSON.parse(text))) };
  } finally {
    await store.close();
  }
}

/** The records of one request, in the order in which they were stored. */
export function recordsOfRequest({ records }: Pick<Inspection, "records">, id: string): AuditRecord[] {
  return records.filter(({ request_id }) => request_id === id);
}

/**
 * Every attempt, and what ended it: outcomes, and closings by other processes.
 * @param records in any order.
 */
export function endsOfAttempts(
  records: readonly AuditRecord[],
): readonly { readonly attempt: AuditRecord; readonly ends: readonly AuditRecord[] }[] {
  const ends = Map.groupBy(
    records.filter(({ closes }) => closes),
    ({ closes }) => `${closes?.stream}:${closes?.seq}`,
  );
  return records
    .filter(({ kind }) => kind === "attempt")
    .map((attempt) => ({ attempt, ends: ends.get(`${attempt.stream}:${attempt.seq}`) ?? [] }));
}

type Readable = Pick<AuditStore, "chain" | "find" | "unfinished" | "damage" | "close">;

/** An SQLite file is read without the usual thread, which tap makes slow to start. */
async function openToRead(url: StoreUrl): Promise<Readable> {
  if (url.kind === "postgres") return openStore({ url }, {});
  const engine = SqliteEngine.read(url.path);
  return {
    chain: async (...args) => engine.chain(...args).map(unpack),
    find: async (...args) => engine.find(...args).map(unpack),
    unfinished: async (...args) => engine.unfinished(...args).map(unpack),
    damage: async () => engine.damage(),
    close: async () => engine.close(),
  };
}

async function allRows(store: Readable): Promise<StoredRow[]> {
  const rows: StoredRow[] = [];
  for (;;) {
    const page = await store.find(
      {},
      { order: "oldest_first", after: rows.at(-1)?.position ?? 0, limit: 5_000 },
    );
    rows.push(...page);
    if (page.length < 5_000) return rows;
  }
}

async function* each(lines: Iterable<string>): AsyncIterable<string> {
  yield* lines;
}
