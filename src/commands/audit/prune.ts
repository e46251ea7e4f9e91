import { hostname } from "node:os";
import { parseArgs } from "node:util";
import { anchorLine } from "../../audit/anchor-line.ts";
import { Audit } from "../../audit/audit.ts";
import { newStream } from "../../audit/chain.ts";
import { StoreConnection } from "../../audit/connection.ts";
import { openStore } from "../../audit/open-store.ts";
import { prune } from "../../audit/retention.ts";
import { loadStoreConfig } from "../../config/config.ts";
import { createLogger } from "../../telemetry/logger.ts";
import { version } from "../../wire.ts";
import { type Terminal, UsageError } from "../command.ts";
import { explained } from "./store.ts";

/** How long it waits for the store at its beginning and its end, in ms. */
const patienceMs = 10_000;

const ignore = () => undefined;

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
  const stream = newStream(`prune.${hostname()}`);
  const connection = new StoreConnection(() => openStore(config, { stream }));
  const write = (line: string) => void terminal.out(line);
  const removed = await explained(config, async () => {
    const store = await connection.get();
    const audit = new Audit({
      stream,
      connection,
      version,
      timeoutMs: patienceMs,
      retentionDays: undefined,
      log: createLogger({ level: "error", destination: { write } }),
      onStored: (sealed) => write(anchorLine(sealed)),
      onFlush: ignore,
      onFailure: ignore,
    });
    try {
      await audit.start(patienceMs);
      return await prune(store, audit.journal, days);
    } finally {
      await audit.close(patienceMs);
    }
  });
  write(`${removed} records removed\n`);
}

function daysOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (/^[1-9]\d{0,4}$/.test(text)) return Number(text);
  throw new UsageError("--days must be a whole number of days from 1 to 99999");
}
