import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { eventually } from "../config/eventually.ts";
import type { Teardown } from "../helpers/gateway.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));

/** The real program, serving. */
export interface GatewayProcess {
  readonly url: string;
  readonly pid: number;
  /** Every whole line of its standard output so far; the last one of a killed process may be cut. */
  readonly log: () => string[];
  /** Ends it without a warning, and waits until it is gone. */
  readonly kill: () => Promise<void>;
  /** Asks it to stop, and waits; gives the exit code, or the signal that ended it. */
  readonly stop: () => Promise<number | string>;
}

/**
 * Starts `main.ts serve`, and waits until it takes calls: by then it has closed what dead processes left open. It runs
 * without what tap loads into child processes, which takes time at each start and obeys signals that Node ignores.
 */
export async function startGatewayProcess(
  t: Teardown,
  environment: NodeJS.ProcessEnv,
): Promise<GatewayProcess> {
  const command = ["-u", "NODE_OPTIONS", process.execPath, `${root}src/main.ts`, "serve"];
  const child = spawn("env", command, {
    env: {
      PATH: process.env["PATH"],
      // As with `npm start`: otherwise each start compiles all sources anew.
      NODE_COMPILE_CACHE: `${root}node_modules/.cache/node`,
      ...{ RATE_LIMIT_READ: "unlimited", RATE_LIMIT_WRITE: "unlimited", RATE_LIMIT_DESTRUCTIVE: "unlimited" },
      ...environment,
      LOG_LEVEL: "info",
    },
  });
  const ended = once(child, "close");
  const end = async (signal: NodeJS.Signals) => {
    child.kill(signal);
    await ended;
    return child.exitCode ?? String(child.signalCode);
  };
  t.teardown(() => end("SIGKILL"));
  const texts = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const) {
    child[name].setEncoding("utf8").on("data", (piece) => {
      texts[name] += piece;
    });
  }
  const url = await eventually("a process that serves", () => {
    const [, found] = /"event":"listening","url":"([^"]+)"/.exec(texts.stdout) ?? [];
    if (!found && child.exitCode !== null) throw new Error(`it ended: ${texts.stdout}${texts.stderr}`);
    return found;
  });
  return {
    url: String(url),
    pid: Number(child.pid),
    log: () => texts.stdout.split("\n").slice(0, -1),
    kill: async () => void (await end("SIGKILL")),
    stop: () => end("SIGTERM"),
  };
}
