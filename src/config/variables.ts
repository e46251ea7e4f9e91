import * as z from "zod";
import { Secret } from "../secret.ts";
import { parseRate } from "./rate.ts";
import { RateLimitStoreUrl } from "./rate-limit-store-url.ts";
import { StoreUrl } from "./store-url.ts";

const wholeNumber = (least: number, most: number) =>
  z
    .string()
    .regex(/^\d{1,9}$/, "must be a whole number")
    .transform(Number)
    .refine((value) => value >= least && value <= most, `must be between ${least} and ${most}`);

const count = (least: number, most: number, fallback: number) => wholeNumber(least, most).default(fallback);

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
  COZE_OAUTH_APP_ID: z
    .string()
    .regex(/^[A-Za-z0-9_-]{1,128}$/, "must be the id of the OAuth app")
    .optional()
    .describe("OAuth app that mints the token by Coze's JWT flow; in place of COZE_TOKEN_FILE"),
  COZE_OAUTH_KEY_ID: z
    .string()
    .regex(/^[\x21-\x7e]{1,256}$/, "must be the fingerprint of the public key")
    .optional()
    .describe("Fingerprint of the app's public key, as Coze shows it"),
  COZE_OAUTH_PRIVATE_KEY_FILE: path
    .optional()
    .describe("File with the app's private key (PEM), read anew for each token"),
  COZE_OAUTH_ACCOUNT_ID: z
    .string()
    .regex(/^[A-Za-z0-9_-]{1,128}$/, "must be an account's id")
    .optional()
    .describe("Mints for this account (owner's UID or organisation id)"),
  COZE_OAUTH_ENTERPRISE_ID: z
    .string()
    .regex(/^[A-Za-z0-9_-]{1,128}$/, "must be an enterprise's id")
    .optional()
    .describe("Mints for this enterprise"),
  COZE_OAUTH_DURATION_SECONDS: count(900, 86_399, 3_600).describe(
    "Life of a minted token; it is renewed at 80 % of it",
  ),
  COZE_MAX_RATE: wholeNumber(1, 100_000)
    .optional()
    .describe(
      "Most calls a second to Coze, of all replicas together, shared fairly between callers; unset: no limit",
    ),
  COZE_MAX_CONNECTIONS: count(1, 10_000, 128).describe(
    "Most calls under way at Coze at one time, each on a connection of its own",
  ),
  COZE_MAX_QUEUE: count(0, 100_000, 1024).describe(
    "Most calls that wait for a connection or their turn; more are refused",
  ),
  CALLERS_FILE: path
    .optional()
    .describe("YAML file of callers, keys and grants, re-read within 2 s of a change"),
  AUDIT_STORE: z
    .string()
    .default("sqlite:data/audit.db")
    .transform(toStoreUrl)
    .describe("Where the audit trail is kept: `sqlite:<file>` or `postgres://user@host:5432/database`"),
  AUDIT_STORE_PASSWORD_FILE: path
    .optional()
    .describe("File with the password of a PostgreSQL store, read at each connection"),
  AUDIT_TIMEOUT_MS: count(50, 60_000, 400).describe(
    "Time within which a record has to be stored; else its request is refused, or its answer withheld",
  ),
  AUDIT_RETENTION_DAYS: wholeNumber(1, 36_500)
    .optional()
    .describe("Months of the audit trail that ended this many days ago are removed; unset keeps all"),
  RATE_LIMIT_READ: rate("100/s").describe(
    "Reads that each caller may make, such as `100/s`, `600/m` or `unlimited`",
  ),
  RATE_LIMIT_WRITE: rate("20/s").describe("Changes that each caller may make, but for the destructive ones"),
  RATE_LIMIT_DESTRUCTIVE: rate("5/s").describe("Deletions and unsubscriptions that each caller may make"),
  RATE_LIMIT_UNAUTHENTICATED: rate("20/s").describe(
    "Failed authentications from one address, above which it is refused unread",
  ),
  RATE_LIMIT_STORE: z
    .string()
    .default("memory")
    .transform(toRateLimitStore)
    .describe("Where the limits are counted: `memory`, or `redis://user@host:6379/0` shared by all replicas"),
  RATE_LIMIT_STORE_PASSWORD_FILE: path
    .optional()
    .describe("File with the password of the Redis or Valkey server, read at each connection"),
  RATE_LIMIT_REPLICAS: wholeNumber(1, 1_000)
    .optional()
    .describe(
      "Replicas that share the limits, unset: 1; each keeps to its part while Redis is away, and of COZE_MAX_RATE always",
    ),
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

function rate(fallback: string) {
  return z
    .string()
    .default(fallback)
    .transform((text, context) => made(() => parseRate(text), context));
}

function toRateLimitStore(text: string, context: z.RefinementCtx): RateLimitStoreUrl | "memory" {
  return text === "memory" ? text : made(() => new RateLimitStoreUrl(text), context);
}

function toStoreUrl(text: string, context: z.RefinementCtx): StoreUrl {
  return made(() => new StoreUrl(text), context);
}

/** What a constructor makes of a text; what it throws becomes the variable's mistake. */
function made<T>(make: () => T, context: z.RefinementCtx): T {
  try {
    return make();
  } catch (error) {
    context.addIssue({ code: "custom", message: (error as Error).message });
    return z.NEVER;
  }
}

function isOrigin(value: string): boolean {
  const url = URL.parse(value);
  if (!url || !/^https?:$/.test(url.protocol)) return false;
  return url.pathname === "/" && !url.search && !url.hash && !url.username && !url.password;
}
