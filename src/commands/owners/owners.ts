import { parseArgs } from "node:util";
import { type Terminal, UsageError } from "../command.ts";
import { changeOwner } from "./change.ts";
import { ownersList } from "./list.ts";
import { appIn, callerIn } from "./names.ts";

const text = { type: "string" } as const;

/** `owners adopt --api-app-id X --owner ID`: gives an app that nobody owns to a caller. */
async function adopt(args: readonly string[], terminal: Terminal): Promise<undefined> {
  const { values } = parseArgs({ args: [...args], options: { "api-app-id": text, owner: text } });
  const app = appIn(values["api-app-id"]);
  const to = callerIn("--owner", values.owner);
  await changeOwner({ app, from: "", to }, terminal);
  terminal.out(`${to} owns ${app} now; nobody did before.\n`);
}

/** `owners move --api-app-id X --from ID --to ID`: gives an app to another caller. */
async function move(args: readonly string[], terminal: Terminal): Promise<undefined> {
  const { values } = parseArgs({ args: [...args], options: { "api-app-id": text, from: text, to: text } });
  const app = appIn(values["api-app-id"]);
  const from = callerIn("--from", values.from);
  const to = callerIn("--to", values.to);
  if (from === to) throw new UsageError("--to must name another caller than --from");
  await changeOwner({ app, from, to }, terminal);
  terminal.out(`${to} owns ${app} now; ${from} did before.\n`);
}

/** `owners remove --api-app-id X --from ID`: takes an app from the caller that owns it. */
async function remove(args: readonly string[], terminal: Terminal): Promise<undefined> {
  const { values } = parseArgs({ args: [...args], options: { "api-app-id": text, from: text } });
  const app = appIn(values["api-app-id"]);
  const from = callerIn("--from", values.from);
  await changeOwner({ app, from, to: "" }, terminal);
  terminal.out(`Nobody owns ${app} now; ${from} did before.\n`);
}

/** What `owners` can do, by the word after it. */
const subcommands = new Map<string, (args: readonly string[], terminal: Terminal) => Promise<undefined>>([
  ["list", ownersList],
  ["adopt", adopt],
  ["move", move],
  ["remove", remove],
]);

/** `owners list|adopt|move|remove ...`: over the store that the environment configures; no gateway needs to run. */
export async function owners(
  [word = "", ...args]: readonly string[],
  terminal: Terminal,
): Promise<undefined> {
  const run = subcommands.get(word);
  if (!run)
    throw new UsageError(`owners takes one of these words first: ${[...subcommands.keys()].join(", ")}`);
  return run(args, terminal);
}
