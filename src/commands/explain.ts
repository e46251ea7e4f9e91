import { stringify } from "yaml";
import { openStore } from "../audit/open-store.ts";
import { StoreError } from "../audit/store.ts";
import type { OwnersOf } from "../callers/authorize.ts";
import type { Caller } from "../callers/callers-file.ts";
import { explain } from "../callers/explain.ts";
import { type Policy, parsePolicy } from "../callers/policy.ts";
import { ConfigError, loadStoreConfig } from "../config/config.ts";
import type { Operation } from "../operation.ts";
import { operations } from "../operations/registry.ts";
import { apiAppIdPattern, appType, eventTypePattern } from "../operations/schemas.ts";
import { readCallersFile } from "./callers-file.ts";
import { CommandFailure, type Terminal, UsageError } from "./command.ts";

const text = { type: "string" } as const;

/** The flags of `check --explain`, for parseArgs. */
export const explainFlags = {
  explain: { type: "boolean" },
  caller: text,
  operation: text,
  "api-app-id": text,
  "app-type": text,
  "event-type": text,
} as const;

/** What parseArgs makes of these flags. */
export type ExplainValues = {
  readonly [Flag in Exclude<keyof typeof explainFlags, "explain">]?: string | undefined;
};

/**
 * `check --explain --caller X --operation Y [--api-app-id Z] [--app-type T] [--event-type E]`: says whether the caller
 * may do that, and which grant of the callers file says so. It needs the callers file and the audit store, which knows
 * who owns the app; no gateway has to run.
 * @throws {CommandFailure} when the caller may not.
 */
export async function explainAccess(
  values: ExplainValues,
  { environment, out }: Terminal,
): Promise<undefined> {
  const { value: policy } = await readCallersFile(environment, (content) => parsePolicy(content));
  const caller = callerOf(policy, values.caller);
  const operation = operationOf(values.operation);
  const id = values["api-app-id"];
  if (operation.reach === "one_app" && id === undefined)
    throw new UsageError(`${operation.id} is on one app: name it with --api-app-id`);
  check("--api-app-id", id, apiAppIdPattern);
  check("--event-type", values["event-type"], eventTypePattern);
  check("--app-type", values["app-type"], `^(${appType.enum.join("|")})$`);
  let owners: ReadonlyMap<string, string> = new Map();
  const ownersOf: OwnersOf = async (ids) => {
    owners = await readOwners(environment, ids);
    return owners;
  };
  const intent = { api_app_id: id, app_type: values["app-type"], event_type: values["event-type"] };
  const decision = await explain(caller, operation, intent, ownersOf);
  const said = [
    `caller ${caller.id}, ${operation.id}${id === undefined ? "" : ` on ${id}`}, callers file ${policy.version}`,
    ...[...owners.values()].map((owner) => `the app is owned by ${owner}`),
  ];
  out(`${said.join("\n")}\n`);
  if (!decision.allowed) throw new CommandFailure(`not allowed: ${decision.reason}`);
  out(`allowed by ${decision.rule}\n${stringify(grantsNamed(caller, decision.rule))}`);
}

/** What a call would be refused with 400 for gets no other answer here. */
function check(flag: string, value: string | undefined, pattern: string): void {
  if (value === undefined || new RegExp(pattern).test(value)) return;
  throw new UsageError(`${flag} must match ${pattern}`);
}

/** The grants that a rule names, as they stand in the file. */
function grantsNamed({ grants }: Caller, rule: string) {
  return grants.filter((_, index) => rule.split("+").includes(`grants[${index}]`));
}

function callerOf({ callers }: Policy, id: string | undefined): Caller {
  const caller = callers.find((each) => each.id === id);
  if (caller) return caller;
  throw new UsageError(`--caller must be one of ${callers.map((each) => each.id).join(", ")}`);
}

function operationOf(id: string | undefined): Operation {
  const operation = operations.find((each) => each.id === id);
  if (operation) return operation;
  throw new UsageError(`--operation must be one of ${operations.map((each) => each.id).join(", ")}`);
}

/** Where no store was ever written, nobody owns anything yet. */
async function readOwners(
  environment: NodeJS.ProcessEnv,
  ids: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  const location = loadStoreConfig(environment);
  try {
    const store = await openStore(location, {});
    return await store.ownersOf(ids).finally(() => store.close());
  } catch (error) {
    if (error instanceof StoreError && error.absent) return new Map();
    throw new ConfigError([`AUDIT_STORE ${location.url}: ${(error as Error).message}`]);
  }
}
