import { type Terminal, UsageError } from "../command.ts";
import { auditExport } from "./export.ts";
import { auditFind } from "./find.ts";
import { auditMigrate } from "./migrate.ts";
import { auditPrune } from "./prune.ts";
import { auditVerify } from "./verify.ts";

/** What `audit` can do, by the word after it. */
const subcommands = new Map<string, (args: readonly string[], terminal: Terminal) => Promise<undefined>>([
  ["verify", auditVerify],
  ["find", auditFind],
  ["export", auditExport],
  ["prune", auditPrune],
  ["migrate", auditMigrate],
]);

/** `audit verify|find|export|prune|migrate ...`: over the store that the environment configures; no gateway needs to run. */
export async function audit([word = "", ...args]: readonly string[], terminal: Terminal): Promise<undefined> {
  const run = subcommands.get(word);
  if (!run)
    throw new UsageError(`audit takes one of these words first: ${[...subcommands.keys()].join(", ")}`);
  return run(args, terminal);
}
