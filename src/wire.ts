import { readFileSync } from "node:fs";
import type { DestinationStream, Logger } from "pino";
import type { Parts } from "./app.ts";
import { anchorLine } from "./audit/anchor-line.ts";
import { Audit } from "./audit/audit.ts";
import type { WatchedCallers } from "./callers/watched-callers.ts";
import type { Config } from "./config/config.ts";
import { Admission } from "./coze/admission.ts";
import { Brake } from "./coze/brake.ts";
import { CozeApi, type CozeApiParts } from "./coze/call.ts";
import { cozeCodes } from "./coze/codes.ts";
import { CozeClient } from "./coze/exchange.ts";
import { Pacer } from "./coze/pacer.ts";
import { RetryBudget } from "./coze/retry-budget.ts";
import { makeGate } from "./gate.ts";
import type { AuditStoreParts } from "./inputs.ts";
import { createMetrics, type Metrics } from "./telemetry/metrics.ts";

/** The program's version, from package.json, which stands beside src and dist alike. */
export const version: string = JSON.parse(
  readFileSync(new URL("../package.json", import.meta.url), "utf8"),
).version;

/** What `wire` cannot make by itself. */
export interface ExternalParts extends Pick<Parts, "token" | "log" | "draining">, AuditStoreParts {
  readonly callers: Omit<WatchedCallers, "close">;
  /** Where the log goes; audit records go there whatever the log's level. */
  readonly output: DestinationStream;
}

/** Makes the parts and ties them together; opens nothing. */
export function wire(
  config: Config,
  given: ExternalParts,
): { parts: Parts; audit: Audit; closeParts: () => Promise<void> } {
  const brake = new Brake();
  const admission = new Admission({
    slots: config.COZE_MAX_CONNECTIONS,
    mostWaiting: config.COZE_MAX_QUEUE,
    pacer: new Pacer(brake, mostRateOf(config)),
  });
  const budget = new RetryBudget();
  const metrics = createMetrics({
    retryBudget: () => budget.tokens,
    queueDepth: () => admission.waiting,
    tokenGeneration: () => given.token.generation,
    tokenAgeSeconds: () => given.token.ageMs / 1000,
    tokenExpiresInSeconds: () => given.token.expiresInMs / 1000,
    tokenFailures: () => given.token.failures,
    tokenReverts: () => given.token.reverts,
    callsUnderWay: () => coze.underWay,
    sendRate: () => brake.rate(performance.now()),
    coolDownSeconds: () => brake.coolDownMs(performance.now()) / 1000,
    auditUsable: () => Number(audit.trail.trouble === undefined),
    auditWaiting: () => audit.journal.waiting,
    auditUnsettled: () => audit.journal.open,
    auditLastSeq: () => audit.journal.lastSeq,
    rateLimitStoreUsable: () => Number(limiter.storeUsable),
    issuersInTrouble: () => given.callers.issuersInTrouble(),
    keyLife: () => given.callers.keyLife(),
  });
  const audit = new Audit({
    stream: given.stream,
    connection: given.connection,
    version,
    timeoutMs: config.AUDIT_TIMEOUT_MS,
    retentionDays: config.AUDIT_RETENTION_DAYS,
    log: given.log,
    onStored: (sealed) => {
      metrics.auditRecords.inc({ kind: sealed.record.kind });
      given.output.write(anchorLine(sealed));
    },
    onFlush: (ms) => metrics.auditAppendSeconds.observe(ms / 1000),
    onFailure: () => metrics.auditFailures.inc(),
  });
  const client = new CozeClient({
    origin: config.COZE_BASE_URL,
    connections: config.COZE_MAX_CONNECTIONS,
    connectTimeoutMs: Math.min(config.ATTEMPT_TIMEOUT_MS, 3_000),
  });
  const coze = new CozeApi({
    client,
    token: given.token,
    admission,
    budget,
    maxAttempts: config.MAX_ATTEMPTS,
    attemptTimeoutMs: config.ATTEMPT_TIMEOUT_MS,
    userAgent: `coze-gateway/${version}`,
    onAttempt: attemptObserver(metrics, given.log),
  });
  const readiness = [
    ["token", () => given.token.usable],
    ["audit", () => audit.trail.trouble === undefined],
    ["not_draining", () => !given.draining()],
  ] as const;
  const { connection, callers } = given;
  const { gate, limiter } = makeGate(config, {
    policy: callers.policy,
    issuers: callers.issuers,
    connection,
    log: given.log,
    onLimited: (rateClass) => metrics.rateLimited.inc({ class: rateClass }),
  });
  const auditStore: Parts["auditStore"] = {
    find: async (filter, page) => (await connection.get()).find(filter, page),
    chain: async (after, limit) => (await connection.get()).chain(after, limit),
  };
  const parts = { ...given, gate, auditStore, metrics, coze, trail: audit.trail, readiness, version };
  return {
    parts,
    audit,
    closeParts: async () => void (await Promise.all([client.close(), limiter.close()])),
  };
}

/** Sends a second that this replica may make: its part of what is allowed to all of them; undefined without a limit. */
function mostRateOf({ COZE_MAX_RATE: rate, RATE_LIMIT_REPLICAS: replicas = 1 }: Config): number | undefined {
  return rate === undefined ? undefined : rate / replicas;
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
