import * as z from "zod";
import { Secret } from "../secret.ts";
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
  COZE_MAX_CONNECTIONS: count(1, 10_000, 128).describe(
    "Most calls under way at Coze at one time, each on a connection of its own",
  ),
  COZE_MAX_QUEUE: count(0, 100_000, 1024).describe("Most calls that wait for a connection; more are refused"),
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

function toStoreUrl(text: string, context: z.RefinementCtx): StoreUrl {
  try {
    return new StoreUrl(text);
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
