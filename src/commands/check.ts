import { parseArgs } from "node:util";
import { openStore } from "../audit/open-store.ts";
import { StoreError } from "../audit/store.ts";
import { type Policy, parsePolicy } from "../callers/policy.ts";
import { maxCallersFileBytes } from "../callers/watched-callers.ts";
import { type Config, ConfigError, loadConfig, storeConfigOf } from "../config/config.ts";
import { variables } from "../config/variables.ts";
import { WatchedFile } from "../config/watched-file.ts";
import { openKeyFile } from "../coze/token/oauth-key.ts";
import { CozeToken } from "../coze/token/token.ts";
import { Secret } from "../secret.ts";
import { type Terminal, UsageError } from "./command.ts";
import { explainAccess, explainFlags } from "./explain.ts";

/**
 * `check [--explain ...]`: reads everything that `serve` would, by the same rules, and prints what it would run with, secrets as
 * `[redacted]`. Only in one thing it is stricter: `serve` waits for a token file or key file that cannot be used yet.
 * @throws {ConfigError} with every mistake of environment, callers file, token and audit store.
 */
export async function check(args: readonly string[], terminal: Terminal): Promise<undefined> {
  const { values } = parseArgs({ args: [...args], options: explainFlags });
  const { explain: wantsExplanation, ...asked } = values;
  if (wantsExplanation) return explainAccess(asked, terminal);
  const [flag] = Object.keys(asked);
  if (flag !== undefined) throw new UsageError(`--${flag} goes with --explain`);
  const { environment, out } = terminal;
  const problems: string[] = [];
  const config = readEnvironment(environment, problems);
  await readToken(environment, problems);
  const policy = await readCallers(environment, problems);
  if (config) await readStore(config, problems);
  if (!config || !policy || problems.length > 0) throw new ConfigError(problems);
  for (const name of Object.keys(variables.shape) as (keyof Config)[])
    out(`${name} = ${config[name] ?? "(not set)"}\n`);
  for (const { id, keys, identities, grants } of policy.callers) {
    const live = keys.filter(({ expires_at }) => expires_at === undefined || expires_at > Date.now()).length;
    out(
      `caller ${id}: ${live} of ${keys.length} keys live, ${identities.length} identities, ${grants.length} grants\n`,
    );
  }
  out("The configuration is good.\n");
}

function readEnvironment(environment: NodeJS.ProcessEnv, problems: string[]): Config | undefined {
  try {
    return loadConfig(environment);
  } catch (error) {
    problems.push(...(error as ConfigError).problems);
    return undefined;
  }
}

/** One that is not there yet is set up by `serve`, and one in passing trouble is waited for. */
async function readStore(config: Config, problems: string[]): Promise<void> {
  const location = storeConfigOf(config);
  try {
    await (await openStore(location, {})).close();
  } catch (error) {
    if (error instanceof StoreError && (error.absent || !error.permanent)) return;
    problems.push(`AUDIT_STORE ${location.url}: ${(error as Error).message}`);
  }
}

type Readable = Readonly<
  Partial<Record<"COZE_TOKEN" | "COZE_TOKEN_FILE" | "COZE_OAUTH_PRIVATE_KEY_FILE" | "CALLERS_FILE", string>>
>;

/** Nothing is minted: that would count at Coze. */
async function readToken(
  { COZE_TOKEN: value, COZE_TOKEN_FILE: file, COZE_OAUTH_PRIVATE_KEY_FILE: keyFile }: Readable,
  problems: string[],
) {
  const note = (what: string, error: Error) => void problems.push(`${what}: ${error.message}`);
  if (value) await CozeToken.open({ value: new Secret(value) }).catch((error) => note("COZE_TOKEN", error));
  if (keyFile) {
    const key = await openKeyFile(keyFile);
    key.close();
    if (key.trouble) note(`COZE_OAUTH_PRIVATE_KEY_FILE ${keyFile}`, key.trouble);
  }
  if (!file) return;
  const token = await CozeToken.open({ file });
  await token.close();
  if (token.trouble) note(`COZE_TOKEN_FILE ${file}`, token.trouble);
}

async function readCallers(
  { CALLERS_FILE: path }: Readable,
  problems: string[],
): Promise<Policy | undefined> {
  if (!path) return undefined;
  const file = await WatchedFile.open({ path, parse: parsePolicy, maxBytes: maxCallersFileBytes });
  file.close();
  if (file.trouble) problems.push(`CALLERS_FILE ${path}: ${file.trouble.message}`);
  return file.value;
}
