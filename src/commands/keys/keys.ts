import { type Terminal, UsageError } from "../command.ts";
import { keysList } from "./list.ts";
import { keysNew } from "./new.ts";
import { keysRevoke } from "./revoke.ts";

/** What `keys` can do, by the word after it. */
const subcommands = new Map<string, (args: readonly string[], terminal: Terminal) => Promise<undefined>>([
  ["new", keysNew],
  ["list", keysList],
  ["revoke", keysRevoke],
]);

/** `keys new|list|revoke ...`: the life of caller keys. */
export async function keys([word = "", ...args]: readonly string[], terminal: Terminal): Promise<undefined> {
  const run = subcommands.get(word);
  if (!run)
    throw new UsageError(`keys takes one of these words first: ${[...subcommands.keys()].join(", ")}`);
  return run(args, terminal);
}
