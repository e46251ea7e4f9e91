import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { eventually } from "../../config/eventually.ts";

const script = fileURLToPath(new URL("child.ts", import.meta.url));

/** A process that runs `child.ts`. */
export interface Child {
  readonly child: ChildProcessWithoutNullStreams;
  /** What it said so far, by lines. */
  readonly lines: () => string[];
  /** Waits until it has said a line that matches. */
  readonly says: (pattern: RegExp) => Promise<string>;
  /** Kills it without giving it a chance to do anything. */
  readonly kill: () => Promise<void>;
}

/**
 * Starts it; it is killed at the end of the test.
 * @param limit what `ulimit` takes to limit it, such as `-f 100`.
 */
export function startChild(
  t: { teardown(handler: () => unknown): void },
  args: readonly string[],
  limit = "",
): Child {
  // tap would have its own code run there too, which ends the process at a signal that Node ignores: SIGXFSZ.
  const shell = `unset NODE_OPTIONS; ${limit && `ulimit -S ${limit};`} exec "$@"`;
  const child = spawn("sh", ["-c", shell, "sh", process.execPath, script, ...args]);
  let output = "";
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (chunk) => {
      output += chunk;
    });
  const ended = () => child.exitCode !== null || child.signalCode !== null;
  const kill = async () => {
    if (ended()) return;
    child.kill("SIGKILL");
    await once(child, "close");
  };
  t.teardown(kill);
  const lines = () => output.split("\n").slice(0, -1);
  const says = (pattern: RegExp) =>
    eventually(`${pattern}`, () => {
      const line = lines().findLast((line) => pattern.test(line));
      if (!line && ended()) throw new Error(`ended before ${pattern}: ${output}`);
      return line ?? "";
    });
  return { child, lines, says, kill };
}
