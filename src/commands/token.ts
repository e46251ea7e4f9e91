import { parseArgs } from "node:util";
import { loadTokenConfig } from "../config/config.ts";
import type { TokenConfig } from "../config/token-variables.ts";
import { openKeyFile } from "../coze/token/oauth-key.ts";
import { describeSource, tokenSourceOf } from "../coze/token/source.ts";
import { type TokenStatus, tokenStatus } from "../coze/token/status.ts";
import { CozeToken } from "../coze/token/token.ts";
import { CommandFailure, type Terminal, UsageError } from "./command.ts";

/** How long the gateway beside has to answer, in ms. */
const answerWithinMs = 3_000;

/**
 * `token status [--json]`: what may be told of the Coze token, by the gateway that runs beside, else by the source.
 * @throws {CommandFailure} when there is no usable token.
 */
export async function token(args: readonly string[], { environment, out }: Terminal): Promise<undefined> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: { json: { type: "boolean" } },
  });
  if (positionals.join() !== "status")
    throw new UsageError("token knows one thing to do: token status [--json]");
  const config = loadTokenConfig(environment);
  const url = adminUrl(config);
  const told = await ask(url);
  const status = told ?? (await readSource(config));
  if (values.json) out(`${JSON.stringify(status)}\n`);
  else
    out(
      `${told ? `gateway      ${url}` : `no gateway answers at ${url}; read from the source`}\n${lines(status)}`,
    );
  if (status.state !== "usable") throw new CommandFailure("There is no usable Coze token.");
}

/** A gateway that listens on all addresses listens on loopback. */
function adminUrl({ HOST, ADMIN_PORT }: TokenConfig): string {
  const host = /^(0\.0\.0\.0|::)$/.test(HOST) ? "127.0.0.1" : HOST;
  return `http://${host.includes(":") ? `[${host}]` : host}:${ADMIN_PORT}`;
}

/** Something else may listen there: only what looks like an answer of ours is one. */
async function ask(url: string): Promise<TokenStatus | undefined> {
  try {
    const signal = AbortSignal.timeout(answerWithinMs);
    const reply = await fetch(`${url}/token`, { redirect: "error", signal });
    return tokenStatus.safeParse(await reply.json()).data;
  } catch {
    return undefined;
  }
}

/** A token of OAuth is not minted for this; that there could be one is all that the key file shows. */
async function readSource(config: TokenConfig): Promise<TokenStatus> {
  const source = tokenSourceOf(config);
  if ("oauth" in source) {
    const key = await openKeyFile(source.oauth.keyFile);
    key.close();
    const trouble = key.trouble?.message ?? "not minted here; the key file is good";
    return { source: describeSource(source), state: "missing", generation: 0, reverted: false, trouble };
  }
  const held = await CozeToken.open(source).catch((error: Error) => error);
  if (held instanceof Error)
    return {
      source: describeSource(source),
      state: "missing",
      generation: 0,
      reverted: false,
      trouble: held.message,
    };
  await held.close();
  return held.status();
}

function lines({ reverted, age_seconds: age, expires_at: expiry, ...status }: TokenStatus): string {
  const rows: readonly (readonly [string, string | number | undefined])[] = [
    ["source", status.source],
    ["state", reverted ? `${status.state}, but Coze rejects the newest token` : status.state],
    ["generation", status.generation],
    ["fingerprint", status.fingerprint],
    ["in use for", age === undefined ? undefined : `${age} s`],
    ["expires at", expiry ?? (status.fingerprint && "not known")],
    ["trouble", status.trouble],
  ];
  return rows.map(([name, value]) => (value === undefined ? "" : `${name.padEnd(12)} ${value}\n`)).join("");
}
