import { parseArgs } from "node:util";
import { loadStoreConfig } from "../../config/config.ts";
import type { Terminal } from "../command.ts";
import { explained } from "./store.ts";

/** `audit migrate`: sets up a PostgreSQL store, or brings its schema up to date, with the rights of its owner. */
export async function auditMigrate(
  args: readonly string[],
  { environment, out }: Terminal,
): Promise<undefined> {
  parseArgs({ args: [...args], options: {} });
  const config = loadStoreConfig(environment);
  if (config.url.kind === "sqlite") {
    out("An SQLite store is set up by the gateway itself: nothing to do.\n");
    return;
  }
  const { migratePostgres } = await import("../../audit/postgres/migrate.ts");
  const location = { url: config.url.reveal(), passwordFile: config.passwordFile };
  const { from, to } = await explained(config, () => migratePostgres(location));
  out(`${config.url}: ${from === to ? `has schema ${to} already` : `schema ${from} -> ${to}`}\n`);
}
