import { text as readAll } from "node:stream/consumers";
import { audit } from "./commands/audit/audit.ts";
import { check } from "./commands/check.ts";
import { CommandFailure, type Running, type Terminal, UsageError } from "./commands/command.ts";
import { keys } from "./commands/keys/keys.ts";
import { openapi } from "./commands/openapi.ts";
import { owners } from "./commands/owners/owners.ts";
import { sandbox } from "./commands/sandbox.ts";
import { serve } from "./commands/serve.ts";
import { token } from "./commands/token.ts";
import { ConfigError } from "./config/config.ts";

const usage = `Usage: main.js [command]

  serve             run the gateway (the default); the environment configures it
  serve --sandbox   run it against a built-in local Coze, with demo callers
  sandbox [--port N] [--token T] [--host H]
                    run only the local Coze
  check             check environment, callers file, token file and audit store
  check --explain --caller ID --operation ID [--api-app-id ID] [--app-type T] [--event-type T]
                    say whether a caller may do that, and which grant says so
  keys new --caller ID [--expires DATE]
                    make a caller key and the lines for the callers file
  keys list [--json]
                    who may call with which key, how long it lives, and when it was used last
  keys revoke --credential-id HEX16 | --caller ID | --stdin
                    take keys out of the callers file; --stdin reads the key itself
  token status [--json]
                    source, age, expiry and fingerprint of the Coze token; never its value
  audit verify [--anchors FILE]
                    prove that nobody changed the audit trail; FILE is a gateway's log
  audit find [--logid X] [--request-id X] [--caller X] [--credential-id X] [--operation X]
             [--api-app-id X] [--outcome X] [--kind X] [--from T] [--to T] [--limit N] [--json]
                    find records, the newest first
  audit export [the same filters] [--out FILE]
                    all that match as NDJSON, the oldest first
  audit prune [--days N]
                    remove months that ended more than N days ago
  audit migrate     set up a PostgreSQL store, or bring it up to date
  owners list [--owner ID] [--json]
                    who owns which callback app
  owners adopt --api-app-id X --owner ID
                    give an app that nobody owns to a caller
  owners move --api-app-id X --from ID --to ID
                    give an app to another caller
  owners remove --api-app-id X --from ID
                    take an app from the caller that owns it
  openapi [--out FOLDER]
                    write openapi.json and openapi.yaml (into ./openapi)
  help              print this

Exit status: 0 done, 1 wrong configuration or failure, 2 wrong command line.
`;

type Command = (args: readonly string[], terminal: Terminal) => Promise<Running | undefined>;

const help: Command = async (_, { out }) => void out(usage);
const commands = new Map<string, Command>(
  Object.entries({ serve, sandbox, check, keys, audit, owners, token, openapi, help }),
);

async function main(): Promise<void> {
  // Whoever reads our output may have seen enough: `audit export | head`.
  process.stdout.on("error", ({ code }: NodeJS.ErrnoException) => process.exit(code === "EPIPE" ? 0 : 1));
  const [word = "serve", ...args] = process.argv.slice(2);
  const command = commands.get(word.replace(/^(--help|-h)$/, "help"));
  if (!command) throw new UsageError(`there is no command "${word}"`);
  const running = await command(args, {
    environment: process.env,
    isTTY: process.stdout.isTTY === true,
    out: (text) => new Promise((resolve) => process.stdout.write(text, () => resolve())),
    input: () => readAll(process.stdin),
  });
  if (running) watchSignals(running);
}

/** In a terminal a Ctrl-C comes twice under npm: from the terminal to all, and passed on by npm. */
const sameSignalMs = 500;

/** The first signal stops gracefully and within a bound, a later one at once. */
function watchSignals({ stop, stopWithinMs, onFatal }: Running): void {
  let stopping = false;
  const end = (exitCode: 0 | 1) => {
    if (stopping) process.exit(1);
    stopping = true;
    setTimeout(() => process.exit(1), stopWithinMs).unref();
    stop(exitCode !== 0).then(
      () => process.exit(exitCode),
      (error) => {
        onFatal(error);
        process.exit(1);
      },
    );
  };
  const fail = (error: unknown) => {
    onFatal(error);
    end(1);
  };
  let signalledAt: number | undefined;
  const signalled = () => {
    const now = performance.now();
    signalledAt ??= now;
    if (!stopping || now - signalledAt > sameSignalMs) end(0);
  };
  process.on("SIGTERM", signalled);
  process.on("SIGINT", signalled);
  process.on("uncaughtException", fail);
  process.on("unhandledRejection", fail);
}

function explain(error: unknown): number {
  if (error instanceof ConfigError) {
    process.stderr.write(
      `${error.message}:\n${error.problems.map((problem) => `  - ${problem}\n`).join("")}`,
    );
    return 1;
  }
  if (error instanceof CommandFailure) {
    process.stderr.write(`${error.message}\n`);
    return 1;
  }
  const isUsage =
    error instanceof UsageError || String((error as NodeJS.ErrnoException).code).startsWith("ERR_PARSE_ARGS");
  process.stderr.write(isUsage ? `${(error as Error).message}\n\n${usage}` : `${(error as Error).stack}\n`);
  return isUsage ? 2 : 1;
}

main().catch((error: unknown) => process.exit(explain(error)));
