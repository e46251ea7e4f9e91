import { readFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import { type Policy, parsePolicy } from "../callers/policy.ts";
import { type Config, ConfigError, loadConfig, variables } from "../config/config.ts";
import { parseToken } from "../coze/token.ts";
import type { Terminal } from "./command.ts";

/**
 * `check`: reads everything that `serve` would and prints what it would run with, secrets as `[redacted]`.
 * @throws {ConfigError} with every mistake of environment, callers file and token file.
 */
export async function check(args: readonly string[], { environment, out }: Terminal): Promise<undefined> {
  parseArgs({ args: [...args], options: {} });
  const config = loadConfig(environment);
  const problems: string[] = [];
  const note = (what: string) => (error: Error) => void problems.push(`${what}: ${error.message}`);
  await readToken(config).catch(
    note(config.COZE_TOKEN ? "COZE_TOKEN" : `COZE_TOKEN_FILE ${config.COZE_TOKEN_FILE}`),
  );
  const policy = await readCallers(config).catch(note(`CALLERS_FILE ${config.CALLERS_FILE}`));
  if (!policy) throw new ConfigError(problems);
  if (problems.length > 0) throw new ConfigError(problems);
  for (const name of Object.keys(variables.shape) as (keyof Config)[])
    out(`${name} = ${config[name] ?? "(not set)"}\n`);
  for (const { id, keys, grants } of policy.callers) {
    const live = keys.filter(({ expires_at }) => expires_at === undefined || expires_at > Date.now()).length;
    out(`caller ${id}: ${live} of ${keys.length} keys live, ${grants.length} grants\n`);
  }
  out("The configuration is good.\n");
}

async function readToken(config: Config): Promise<void> {
  parseToken(config.COZE_TOKEN?.reveal() ?? (await readFile(config.COZE_TOKEN_FILE ?? "")));
}

async function readCallers(config: Config): Promise<Policy> {
  return parsePolicy(await readFile(config.CALLERS_FILE ?? ""));
}
