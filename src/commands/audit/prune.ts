import { parseArgs } from "node:util";
import { prune } from "../../audit/retention.ts";
import { loadStoreConfig } from "../../config/config.ts";
import { type Terminal, UsageError } from "../command.ts";
import { withTrail } from "./trail.ts";

/**
 * `audit prune [--days N]`: removes the months that ended more than N days ago, by default AUDIT_RETENTION_DAYS. What it
 * writes to the trail is printed as lines of a gateway's log, to be kept with those as anchors.
 * While the store is in trouble it goes on trying, and says why.
 */
export async function auditPrune(args: readonly string[], terminal: Terminal): Promise<undefined> {
  const { values } = parseArgs({ args: [...args], options: { days: { type: "string" } } });
  const config = loadStoreConfig(terminal.environment);
  const days = daysOf(values.days) ?? config.retentionDays;
  if (days === undefined) throw new UsageError("audit prune needs --days N, or AUDIT_RETENTION_DAYS");
  const removed = await withTrail(config, { name: "prune" }, terminal, (store, journal) =>
    prune(store, journal, days),
  );
  terminal.out(`${removed} records removed\n`);
}

function daysOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (/^[1-9]\d{0,4}$/.test(text)) return Number(text);
  throw new UsageError("--days must be a whole number of days from 1 to 99999");
}
