import type * as z from "zod";
import type { StoreUrl } from "./store-url.ts";
import { type TokenConfig, tokenContradictions, tokenVariables } from "./token-variables.ts";
import { variables } from "./variables.ts";

/** The configuration in force; frozen, and safe to print. */
export type Config = Readonly<z.output<typeof variables>>;

const ownPrefix = /^(COZE_|CALLERS_|AUDIT_|RATE_LIMIT_|REQUEST_TIME|ATTEMPT_|MAX_AT|DRAIN_|ADMIN_|LOG_LEV)/;

/** Kubernetes puts these into every pod for every Service of the namespace, so a Service named `coze-...` must not stop us. */
const serviceLink = /_(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)$/;
const serviceLinkValue = /^(tcp|udp|sctp):\/\//;

/** Every mistake of the configuration at once; `problems` are lines for a person, none shows a value. */
export class ConfigError extends Error {
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(`The configuration has ${problems.length} mistake${problems.length === 1 ? "" : "s"}`);
    this.name = "ConfigError";
    this.problems = problems;
  }
}

/**
 * Reads the environment once. An empty variable counts as absent, as compose files and manifests leave them.
 * @throws {ConfigError} naming every mistake.
 */
export function loadConfig(environment: NodeJS.ProcessEnv): Config {
  const given = presentIn(environment);
  const problems = misspelt(given, ownPrefix);
  const issues = variables.safeParse(given).error?.issues ?? [];
  problems.push(...issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`));
  // The rest is checked as well: a variable that is wrong by itself is left out, and so is what would contradict it.
  const wrong = issues.map((issue) => String(issue.path[0]));
  const config = variables.parse(
    Object.fromEntries(Object.entries(given).filter(([name]) => !wrong.includes(name))),
  );
  problems.push(...contradictions(config).filter((problem) => !wrong.some((name) => problem.includes(name))));
  if (problems.length > 0) throw new ConfigError(problems);
  return Object.freeze(config);
}

const storeVariables = variables.pick({
  AUDIT_STORE: true,
  AUDIT_STORE_PASSWORD_FILE: true,
  AUDIT_RETENTION_DAYS: true,
});

/** What the `audit` commands need of the configuration. */
export interface StoreConfig {
  readonly url: StoreUrl;
  readonly passwordFile: string | undefined;
  readonly retentionDays: number | undefined;
}

/**
 * Reads only what concerns the audit store, for commands that need neither Coze's token nor callers.
 * @throws {ConfigError} naming every mistake.
 */
export function loadStoreConfig(environment: NodeJS.ProcessEnv): StoreConfig {
  const given = presentIn(environment);
  const { data, error } = storeVariables.safeParse(given);
  const problems = [
    ...misspelt(given, /^AUDIT_/),
    ...(error?.issues ?? []).map((issue) => `${issue.path.join(".")}: ${issue.message}`),
  ];
  if (!data || problems.length > 0) throw new ConfigError(problems);
  return storeConfigOf(data);
}

/** The part of a configuration that concerns the audit store. */
export function storeConfigOf(config: z.output<typeof storeVariables>): StoreConfig {
  return {
    url: config.AUDIT_STORE,
    passwordFile: config.AUDIT_STORE_PASSWORD_FILE,
    retentionDays: config.AUDIT_RETENTION_DAYS,
  };
}

/**
 * Reads only what concerns the Coze token, for `token status`, which needs neither callers nor an audit store.
 * @throws {ConfigError} naming every mistake.
 */
export function loadTokenConfig(environment: NodeJS.ProcessEnv): TokenConfig {
  const given = presentIn(environment);
  const { data, error } = tokenVariables.safeParse(given);
  const problems = [
    ...misspelt(given, /^COZE_(TOKEN|OAUTH)/),
    ...(error?.issues ?? []).map((issue) => `${issue.path.join(".")}: ${issue.message}`),
    ...(data ? tokenContradictions(data) : []),
  ];
  if (!data || problems.length > 0) throw new ConfigError(problems);
  return data;
}

function presentIn(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(environment).filter(([, value]) => value !== ""));
}

function misspelt(given: NodeJS.ProcessEnv, prefix: RegExp): string[] {
  const known = Object.keys(variables.shape);
  return Object.entries(given)
    .filter(([name]) => prefix.test(name) && !known.includes(name))
    .filter(([name, value = ""]) => !serviceLink.test(name) && !serviceLinkValue.test(value))
    .map(([name]) => `${name}: not a variable of this program; known are ${known.join(", ")}`);
}

function contradictions(config: Config): string[] {
  const problems = tokenContradictions(config);
  if (!config.CALLERS_FILE) {
    problems.push("CALLERS_FILE: missing; without it nobody could call (see `keys new`)");
  }
  if (config.PORT === config.ADMIN_PORT && config.PORT !== 0) {
    problems.push("PORT, ADMIN_PORT: must not be the same");
  }
  if (config.ATTEMPT_TIMEOUT_MS > config.REQUEST_TIMEOUT_MS) {
    problems.push("ATTEMPT_TIMEOUT_MS: must not exceed REQUEST_TIMEOUT_MS");
  }
  if (config.AUDIT_STORE_PASSWORD_FILE && config.AUDIT_STORE.kind === "sqlite") {
    problems.push("AUDIT_STORE_PASSWORD_FILE: an SQLite store has no password; unset it");
  }
  problems.push(...rateLimitContradictions(config));
  const { protocol, hostname } = new URL(config.COZE_BASE_URL);
  if (
    protocol === "http:" &&
    !config.COZE_ALLOW_HTTP &&
    !/^(localhost|127(\.\d+){3}|\[::1\])$/.test(hostname)
  ) {
    problems.push(
      "COZE_BASE_URL: http:// would send the token in clear; use https:// or set COZE_ALLOW_HTTP=true",
    );
  }
  return problems;
}

function rateLimitContradictions(config: Config): string[] {
  const { RATE_LIMIT_STORE: store, RATE_LIMIT_STORE_PASSWORD_FILE: passwordFile } = config;
  if (store === "memory") {
    return passwordFile ? ["RATE_LIMIT_STORE_PASSWORD_FILE: memory has no password; unset it"] : [];
  }
  const problems: string[] = [];
  if (config.RATE_LIMIT_REPLICAS === undefined) {
    problems.push(
      "RATE_LIMIT_REPLICAS: missing; while RATE_LIMIT_STORE is away, each replica keeps to its part of the limits",
    );
  }
  if (passwordFile && store.hasPassword) {
    problems.push("RATE_LIMIT_STORE, RATE_LIMIT_STORE_PASSWORD_FILE: give the password in one, not in both");
  }
  return problems;
}
