import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { eventually } from "../config/eventually.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));

/** Variables of the machine that would configure the program are kept from it. */
const inherited = Object.fromEntries(
  Object.entries(process.env).filter(
    ([name]) =>
      !/^(HOST|(ADMIN_)?PORT|LOG_LEVEL|(COZE|CALLERS|AUDIT|RATE|DRAIN|REQUEST|ATTEMPT|MAX)_.*)$/.test(name),
  ),
);

/** The program as a process of its own. */
export interface Program {
  readonly child: ChildProcessWithoutNullStreams;
  readonly stdout: () => string;
  readonly stderr: () => string;
  /** Every JSON line of standard output so far. */
  readonly lines: () => Record<string, unknown>[];
  /** Waits until standard output matches, and gives the match. */
  readonly prints: (pattern: RegExp) => Promise<RegExpExecArray>;
  /** Waits for the end: the exit code, or the name of the signal. */
  readonly ended: () => Promise<number | string>;
}

/** Starts `main.ts` with the arguments. What still runs when the test is over is killed. */
export function startProgram(
  t: { teardown(handler: () => unknown): void },
  args: readonly string[],
  environment: NodeJS.ProcessEnv = {},
  nodeOptions: readonly string[] = [],
): Program {
  // The default would be one store for all programs that run at the time, in the folder of the sources.
  const folder = mkdtempSync(join(tmpdir(), "program-test-"));
  const child = spawn(process.execPath, [...nodeOptions, `${root}src/main.ts`, ...args], {
    env: { ...inherited, AUDIT_STORE: `sqlite:${folder}/audit.db`, ...environment },
  });
  t.teardown(async () => {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill("SIGKILL");
      await once(child, "close");
    }
    rmSync(folder, { recursive: true });
  });
  let closed = false;
  child.once("close", () => {
    closed = true;
  });
  const texts = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const) {
    child[name].setEncoding("utf8").on("data", (chunk) => {
      texts[name] += chunk;
    });
  }
  return {
    child,
    stdout: () => texts.stdout,
    stderr: () => texts.stderr,
    lines: () =>
      texts.stdout
        .split("\n")
        .filter((line) => line.startsWith("{"))
        .map((line) => JSON.parse(line)),
    prints: (pattern) =>
      eventually(`${pattern}, not ${texts.stderr}`, () => {
        const match = pattern.exec(texts.stdout);
        if (!match && closed) throw new Error(`ended before ${pattern}: ${texts.stdout}${texts.stderr}`);
        return match as RegExpExecArray;
      }),
    ended: async () => {
      await eventually(`the end, after ${texts.stdout}${texts.stderr}`, () => closed);
      return child.exitCode ?? String(child.signalCode);
    },
  };
}
