import { readFileSync } from "node:fs";
import type { FastifyInstance } from "fastify";
import type { DestinationStream, Logger } from "pino";
import { build, type Parts } from "./app.ts";
import { emptyPolicy, type Policy, parsePolicy } from "./callers/policy.ts";
import { type Config, ConfigError } from "./config/config.ts";
import { WatchedFile } from "./config/watched-file.ts";
import { Admission } from "./coze/admission.ts";
import { CozeApi, type CozeApiParts } from "./coze/call.ts";
import { cozeCodes } from "./coze/codes.ts";
import { CozeClient } from "./coze/exchange.ts";
import { Pacer } from "./coze/pacer.ts";
import { RetryBudget } from "./coze/retry-budget.ts";
import { Slots } from "./coze/slots.ts";
import { CozeToken } from "./coze/token.ts";
import { buildAdmin } from "./http/admin.ts";
import { createLogger } from "./telemetry/logger.ts";
import { createMetrics, type Metrics } from "./telemetry/metrics.ts";

/** Largest callers file that is read, in bytes. */
export const maxCallersFileBytes = 4 * 1024 * 1024;

/** The program's version, from package.json, which stands beside src and dist alike. */
export const version: string = JSON.parse(
  readFileSync(new URL("../package.json", import.meta.url), "utf8"),
).version;

/** A whole gateway: the callers' port, the operators' port, and how to stop both. */
export interface Gateway {
  readonly app: FastifyInstance;
  readonly admin: FastifyInstance;
  readonly log: Logger;
  /** Not ready from now on; replies ask callers to close their connections. */
  readonly drain: () => void;
  /** Stops listening, finishes what is under way and lets go of files and sockets. */
  readonly close: () => Promise<void>;
}

/**
 * Opens files, wires all parts and builds the two servers; nothing listens yet.
 * @param destination where log lines go.
 * @throws {ConfigError} when COZE_TOKEN or the callers file cannot be used.
 */
export async function openGateway(config: Config, destination: DestinationStream): Promise<Gateway> {
  let token: CozeToken | undefined;
  const redact = (line: string) => token?.redact(line) ?? line;
  const log = createLogger({ level: config.LOG_LEVEL, destination, redact });
  const problems: string[] = [];
  const note = (error: ConfigError): undefined => void problems.push(...error.problems);
  token = await openToken(config, log).catch(note);
  const callers = await openCallers(config, log).catch(note);
  if (!token || !callers) {
    token?.close();
    callers?.close();
    throw new ConfigError(problems);
  }
  // Closed in the reverse order, each whatever becomes of the others.
  const opened = new AsyncDisposableStack();
  opened.adopt(token, (held) => held.close());
  opened.adopt(callers, (held) => held.close());
  let draining = false;
  const { parts, closeParts } = wire(config, {
    token,
    log,
    policy: callers.policy,
    draining: () => draining,
  });
  opened.defer(closeParts);
  const admin = buildAdmin(parts.metrics.registry, parts.readiness);
  opened.defer(() => admin.close());
  opened.defer(() => parts.coze.settled());
  const app = await build(config, parts);
  opened.defer(async () => {
    // A connection without a whole request is not idle to Node; it would be waited for without end.
    const cut = setTimeout(() => app.server.closeAllConnections(), config.REQUEST_TIMEOUT_MS + 1_000);
    await app.close().finally(() => clearTimeout(cut));
  });
  return {
    app,
    admin,
    log,
    drain: () => {
      draining = true;
    },
    close: () => {
      draining = true;
      return opened.disposeAsync();
    },
  };
}

/** What `wire` cannot make by itself. */
export type ExternalParts = Pick<Parts, "token" | "log" | "policy" | "draining">;

/** Makes the parts and ties them together; opens nothing. */
export function wire(
  config: Config,
  given: ExternalParts,
): { parts: Parts; closeParts: () => Promise<void> } {
  const slots = new Slots(config.COZE_MAX_CONNECTIONS, config.COZE_MAX_QUEUE);
  const pacer = new Pacer();
  const budget = new RetryBudget();
  const metrics = createMetrics({
    retryBudget: () => budget.tokens,
    queueDepth: () => slots.waiting,
    tokenGeneration: () => given.token.generation,
    callsUnderWay: () => coze.underWay,
    sendRate: () => pacer.rate,
    coolDownSeconds: () => pacer.coolDownMs(performance.now()) / 1000,
  });
  const client = new CozeClient({
    origin: config.COZE_BASE_URL,
    connections: config.COZE_MAX_CONNECTIONS,
    connectTimeoutMs: Math.min(config.ATTEMPT_TIMEOUT_MS, 3_000),
  });
  const coze = new CozeApi({
    client,
    token: given.token,
    admission: new Admission(slots, pacer),
    budget,
    maxAttempts: config.MAX_ATTEMPTS,
    attemptTimeoutMs: config.ATTEMPT_TIMEOUT_MS,
    userAgent: `coze-gateway/${version}`,
    onAttempt: attemptObserver(metrics, given.log),
  });
  const readiness = [
    ["token", () => given.token.generation > 0],
    ["not_draining", () => !given.draining()],
  ] as const;
  return { parts: { ...given, metrics, coze, readiness, version }, closeParts: () => client.close() };
}

/** Counts attempts, and raises the alarm for those that must never happen. */
function attemptObserver(metrics: Metrics, log: Logger): CozeApiParts["onAttempt"] {
  return ({ id: operation }, { class: ended, code, failure }, ms) => {
    metrics.attempts.inc({ operation, class: ended });
    metrics.attemptSeconds.observe({ operation }, ms / 1000);
    if (code !== undefined && code !== 0 && !cozeCodes.has(code)) metrics.unknownCodes.inc();
    if (failure !== "leak") return;
    metrics.leaks.inc();
    log.error({ event: "leak", operation }, "a reply of Coze showed the token and was withheld");
  };
}

/** The callers file under watch, and the policy that it says now. */
interface WatchedCallers {
  readonly policy: () => Policy;
  readonly close: () => void;
}

async function openCallers(config: Config, log: Logger): Promise<WatchedCallers> {
  const path = config.CALLERS_FILE ?? "";
  let current = emptyPolicy;
  const file = await WatchedFile.open({
    path,
    parse: parsePolicy,
    maxBytes: maxCallersFileBytes,
    onChange: (policy) => {
      current = policy;
      log.info({ event: "callers_loaded", callers: policy.callers.length }, "callers file loaded");
    },
    onRecovered: () => log.info({ event: "callers_file_usable" }, "callers file usable again, unchanged"),
    onError: ({ message }) =>
      log.error({ event: "callers_file_unusable", problem: message }, "callers file not usable"),
  });
  if (!file.value) {
    file.close();
    throw new ConfigError([`CALLERS_FILE ${path}: ${file.trouble?.message}`]);
  }
  return { policy: () => current, close: () => file.close() };
}

async function openToken(config: Config, log: Logger): Promise<CozeToken> {
  const source = config.COZE_TOKEN ? { value: config.COZE_TOKEN } : { file: config.COZE_TOKEN_FILE ?? "" };
  return CozeToken.open(source, {
    onChange: (generation) => log.info({ event: "token_loaded", generation }, "Coze token loaded"),
    onRecovered: () => log.info({ event: "token_file_usable" }, "token file usable again, unchanged"),
    onError: ({ message }) => {
      log.error(
        { event: "token_file_unusable", problem: message },
        "token file not usable, last good token kept",
      );
    },
  }).catch((error: Error) => {
    throw new ConfigError([`COZE_TOKEN: ${error.message}`]);
  });
}
