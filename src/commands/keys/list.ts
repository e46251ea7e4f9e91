import { parseArgs } from "node:util";
import { asciiOf } from "../../audit/export.ts";
import type { Caller } from "../../callers/callers-file.ts";
import { keyCredentialId, subjectCredentialId } from "../../callers/key.ts";
import { daysLeft, warningDays } from "../../callers/key-life.ts";
import { parsePolicy } from "../../callers/policy.ts";
import { readCallersFile } from "../callers-file.ts";
import type { Terminal } from "../command.ts";
import { type LastUse, lastUseOf } from "./last-use.ts";

/** Something by which a caller proves itself: a key, or JWTs of one subject or of all that begin alike. */
interface Listed {
  readonly caller: string;
  readonly kind: "key" | "jwt";
  /** Absent where it stands for many subjects, each of which has an id of its own. */
  readonly credential_id?: string;
  readonly issuer?: string;
  readonly subject?: string;
  readonly subject_prefix?: string;
  readonly state: "live" | "expiring" | "expired";
  readonly expires_at?: string;
  readonly days_left?: number;
}

/**
 * `keys list [--json]`: who may call by which credential, how long it lives, and when the audit trail saw it last. It
 * is a table for a person, with `--json` NDJSON. An audit store that cannot be read leaves only the last column empty.
 * @throws {ConfigError} when the callers file cannot be used.
 */
export async function keysList(args: readonly string[], terminal: Terminal): Promise<undefined> {
  const { values } = parseArgs({ args: [...args], options: { json: { type: "boolean" } } });
  const { value: policy } = await readCallersFile(terminal.environment, (content) => parsePolicy(content));
  const now = Date.now();
  const all = policy.callers.flatMap((caller) => [...keysOf(caller, now), ...identitiesOf(caller)]);
  const lastUse = await lastUseOf(
    all.flatMap(({ credential_id }) => credential_id ?? []),
    terminal,
  );
  await terminal.out(values.json ? jsonOf(all, lastUse) : tableOf(all, lastUse));
}

function keysOf({ id: caller, keys }: Caller, now: number): Listed[] {
  return keys.map(({ sha256, expires_at }) => {
    const key = { caller, kind: "key", credential_id: keyCredentialId(sha256) } as const;
    if (expires_at === undefined) return { ...key, state: "live" };
    const days_left = daysLeft(expires_at, now);
    const ending = { ...key, expires_at: new Date(expires_at).toISOString(), days_left };
    if (days_left === 0) return { ...ending, state: "expired" };
    return { ...ending, state: days_left <= warningDays ? "expiring" : "live" };
  });
}

function identitiesOf({ id: caller, identities }: Caller): Listed[] {
  return identities.map((identity) => {
    const common = { caller, kind: "jwt", state: "live", ...identity } as const;
    return "subject" in identity
      ? { ...common, credential_id: subjectCredentialId(identity.issuer, identity.subject) }
      : common;
  });
}

/** `last_used` is null where the trail has no record of it, and absent where that is not known. */
function jsonOf(all: readonly Listed[], { times, trouble }: LastUse): string {
  return all
    .map((each) => {
      const { credential_id: id } = each;
      const last_used = id === undefined || trouble !== undefined ? undefined : (times.get(id) ?? null);
      return `${asciiOf(JSON.stringify({ ...each, last_used, last_used_unknown: trouble }))}\n`;
    })
    .join("");
}

function tableOf(all: readonly Listed[], { times, trouble }: LastUse): string {
  if (all.length === 0) return "The callers file has no keys and no identities: nobody can call.\n";
  const rows = all.map((each) => {
    const { caller, kind, credential_id: id, issuer, subject, subject_prefix, expires_at = "" } = each;
    const used = id === undefined ? "" : trouble === undefined ? (times.get(id) ?? "no record") : "unknown";
    const who = kind === "key" ? kind : `${kind} of ${issuer}: ${subject ?? `${subject_prefix}*`}`;
    return [caller, id ?? "", stateOf(each), expires_at, used, who];
  });
  const head = ["CALLER", "CREDENTIAL ID", "STATE", "EXPIRES", "LAST USED", "KIND"];
  const table = [head, ...rows];
  const widths = head.map((_, column) =>
    table.reduce((most, row) => Math.max(most, String(row[column]).length), 0),
  );
  const lines = table.map((row) => row.map((cell, column) => cell.padEnd(Number(widths[column]))).join("  "));
  if (trouble !== undefined) lines.push("", `When they were used last is unknown: ${trouble}`);
  return lines.map((line) => `${asciiOf(line).trimEnd()}\n`).join("");
}

function stateOf({ state, days_left }: Listed): string {
  return state === "expiring" ? `expires in ${days_left} day${days_left === 1 ? "" : "s"}` : state;
}
