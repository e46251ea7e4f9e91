import { parseArgs } from "node:util";
import { exportLine } from "../../audit/export.ts";
import { type Terminal, UsageError } from "../command.ts";
import { blockOf } from "./block.ts";
import { filterFlags, filterOf } from "./filter.ts";
import { withStore } from "./store.ts";

const mostRecords = 1_000;

/**
 * `audit find [--logid ID] [--request-id ID] [--caller ID] ... [--limit N] [--json]`: the newest records that match, as
 * blocks for a person at a terminal, else as NDJSON.
 */
export async function auditFind(args: readonly string[], terminal: Terminal): Promise<undefined> {
  const { values } = parseArgs({
    args: [...args],
    options: { ...filterFlags, limit: { type: "string", default: "20" }, json: { type: "boolean" } },
  });
  const limit = limitOf(values.limit);
  const filter = filterOf(values);
  const rows = await withStore(terminal, (store) => store.find(filter, { order: "newest_first", limit }));
  const forPerson = terminal.isTTY && !values.json;
  for (const row of rows) terminal.out(forPerson ? `${blockOf(row)}\n` : `${exportLine(row)}\n`);
  if (forPerson) terminal.out(summaryOf(rows.length, limit));
}

function limitOf(value: string): number {
  const limit = /^\d{1,4}$/.test(value) ? Number(value) : 0;
  if (limit >= 1 && limit <= mostRecords) return limit;
  throw new UsageError(`--limit must be between 1 and ${mostRecords}; audit export gives everything`);
}

function summaryOf(found: number, limit: number): string {
  if (found === 0) return "No record matches.\n";
  return found < limit ? "" : `The newest ${limit}; there may be more (--limit, --to, audit export).\n`;
}
