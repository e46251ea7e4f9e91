import canonicalize from "canonicalize";
import { hashOf } from "../../src/audit/chain.ts";
import type { AuditRecord } from "../../src/audit/record.ts";
import { type ChainPoint, labelsOf, type Row, type StoredRow } from "../../src/audit/store.ts";
import { Findings } from "../../src/audit/verify/findings.ts";
import type { Surroundings } from "../../src/audit/verify/links.ts";
import { Prunings } from "../../src/audit/verify/prunings.ts";

/** Rows as a store gives them back, stored in this order. */
export function stored(rows: readonly Row[]): StoredRow[] {
  return rows.map((row, at) => ({ ...row, position: at + 1 }));
}

/** The row with other fields in its record; text, hash and columns fit to each other. */
export function resealed(row: StoredRow, change: object): StoredRow {
  const record: AuditRecord = { ...JSON.parse(row.text), ...change };
  const text = canonicalize(record) as string;
  return { ...labelsOf(record), text, hash: hashOf(text), position: row.position };
}

/** A store to read that holds these rows, for what no real one lets happen; it counts how often it is asked. */
export function listed(rows: readonly StoredRow[]) {
  const asked = { chain: 0, find: 0, unfinished: 0 };
  const order = (a: ChainPoint, b: ChainPoint) =>
    a.stream < b.stream
      ? -1
      : a.stream > b.stream
        ? 1
        : a.seq - b.seq || (a.position ?? 0) - (b.position ?? 0);
  const inOrder = rows.toSorted(order);
  const store: Surroundings["store"] = {
    chain: async (after, limit) => {
      asked.chain += 1;
      return inOrder.filter((row) => !after || order(row, after) > 0).slice(0, limit);
    },
    find: async ({ kind }, page) => {
      asked.find += 1;
      const before = page.order === "newest_first" ? (page.before ?? Number.POSITIVE_INFINITY) : 0;
      return rows
        .filter((row) => row.kind === kind && row.position < before)
        .toSorted((a, b) => b.position - a.position)
        .slice(0, page.limit);
    },
    unfinished: async (stream, settledTo) => {
      asked.unfinished += 1;
      const closed = new Set(rows.map((row) => `${row.closes_stream}:${row.closes_seq}`));
      return inOrder.filter(
        (row) =>
          row.stream === stream &&
          row.seq > settledTo &&
          row.kind === "attempt" &&
          !closed.has(`${row.stream}:${row.seq}`),
      );
    },
    damage: async () => [],
  };
  return { store, asked };
}

/** What a check of these rows works with, and what it found. */
export function around(rows: readonly StoredRow[]) {
  const { store, asked } = listed(rows);
  const findings = new Findings();
  const surroundings: Surroundings = { store, findings, prunings: new Prunings(store) };
  return { ...surroundings, asked };
}
