import * as z from "zod";
import { Secret } from "../secret.ts";

const count = (least: number, most: number, fallback: number) =>
  z
    .string()
    .regex(/^\d{1,9}$/, "must be a whole number")
    .transform(Number)
    .refine((value) => value >= least && value <= most, `must be between ${least} and ${most}`)
    .default(fallback);

const path = z.string().min(1, "must name a file");

/** Every variable that the program reads, with its meaning: parsed at start, listed by the README and by `check`. */
export const variables = z.object({
  HOST: z
    .string()
    // Fastify would open a second server for the other address of that name, without what is set up on the first.
    .refine((value) => value !== "localhost", "must be an address, such as 127.0.0.1 or 0.0.0.0")
    .default("0.0.0.0")
    .describe("Address to listen on"),
  PORT: count(0, 65535, 3000).describe("Port for callers; 0 takes a free one"),
  ADMIN_PORT: count(0, 65535, 9090).describe(
    "Port for `/livez`, `/readyz` and `/metrics`; 0 takes a free one",
  ),
  COZE_BASE_URL: z
    .string()
    .default("https://api.coze.cn")
    .refine((value) => isOrigin(value), "must be an https:// origin without path, query or user")
    .transform((value) => new URL(value).origin)
    .describe("Coze's origin; tokens of .cn and .com are not interchangeable"),
  COZE_ALLOW_HTTP: z
    .enum(["true", "false"], "must be true or false")
    .default("false")
    .transform((value) => value === "true")
    .describe("Allow an `http://` COZE_BASE_URL beyond loopback: the token then travels in clear"),
  COZE_TOKEN_FILE: path.optional().describe("File with the Coze token, re-read within 2 s of a change"),
  COZE_TOKEN: z
    .string()
    .transform((value) => new Secret(value))
    .optional()
    .describe("The Coze token itself, for development"),
  COZE_MAX_CONNECTIONS: count(1, 10_000, 128).describe(
    "Most calls under way at Coze at one time, each on a connection of its own",
  ),
  COZE_MAX_QUEUE: count(0, 100_000, 1024).describe("Most calls that wait for a connection; more are refused"),
  CALLERS_FILE: path
    .optional()
    .describe("YAML file of callers, keys and grants, re-read within 2 s of a change"),
  LOG_LEVEL: z
    .enum(["debug", "info", "warn", "error"], "must be debug, info, warn or error")
    .default("info")
    .describe("Least level that is logged; the lines of requests are `info`"),
  REQUEST_TIMEOUT_MS: count(100, 600_000, 10_000).describe("Time for one request, all attempts included"),
  ATTEMPT_TIMEOUT_MS: count(50, 600_000, 4_000).describe(
    "Time for one attempt at Coze (update: at least 8 s)",
  ),
  MAX_ATTEMPTS: count(1, 10, 3).describe("Most attempts at Coze for one request"),
  DRAIN_DELAY_MS: count(0, 300_000, 5_000).describe("Time to keep serving after SIGTERM, not ready any more"),
});

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
  const given = Object.fromEntries(Object.entries(environment).filter(([, value]) => value !== ""));
  const problems = Object.entries(given)
    .filter(([name]) => ownPrefix.test(name) && !(name in variables.shape))
    .filter(([name, value = ""]) => !serviceLink.test(name) && !serviceLinkValue.test(value))
    .map(
      ([name]) =>
        `${name}: not a variable of this program; known are ${Object.keys(variables.shape).join(", ")}`,
    );
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

function contradictions(config: Config): string[] {
  const problems: string[] = [];
  if (config.COZE_TOKEN && config.COZE_TOKEN_FILE) {
    problems.push("COZE_TOKEN, COZE_TOKEN_FILE: set one of them, not both");
  }
  if (!config.COZE_TOKEN && !config.COZE_TOKEN_FILE) {
    problems.push(
      "COZE_TOKEN_FILE: missing; name the file that holds the Coze token (or COZE_TOKEN in development)",
    );
  }
  if (!config.CALLERS_FILE) {
    problems.push("CALLERS_FILE: missing; without it nobody could call (see `keys new`)");
  }
  if (config.PORT === config.ADMIN_PORT && config.PORT !== 0) {
    problems.push("PORT, ADMIN_PORT: must not be the same");
  }
  if (config.ATTEMPT_TIMEOUT_MS > config.REQUEST_TIMEOUT_MS) {
    problems.push("ATTEMPT_TIMEOUT_MS: must not exceed REQUEST_TIMEOUT_MS");
  }
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

function isOrigin(value: string): boolean {
  const url = URL.parse(value);
  if (!url || !/^https?:$/.test(url.protocol)) return false;
  return url.pathname === "/" && !url.search && !url.hash && !url.username && !url.password;
}
