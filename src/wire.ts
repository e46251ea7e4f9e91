import { readFileSync } from "node:fs";
import type { DestinationStream, Logger } from "pino";
import type { Parts } from "./app.ts";
import { anchorLine } from "./audit/anchor-line.ts";
import { Audit } from "./audit/audit.ts";
import type { Config } from "./config/config.ts";
import { Admission } from "./coze/admission.ts";
import { CozeApi, type CozeApiParts } from "./coze/call.ts";
import { cozeCodes } from "./coze/codes.ts";
import { CozeClient } from "./coze/exchange.ts";
import { Pacer } from "./coze/pacer.ts";
import { RetryBudget } from "./coze/retry-budget.ts";
import { Slots } from "./coze/slots.ts";
import type { AuditStoreParts } from "./inputs.ts";
import { createMetrics, type Metrics } from "./telemetry/metrics.ts";

/** The program's version, from package.json, which stands beside src and dist alike. */
export const version: string = JSON.parse(
  readFileSync(new URL("../package.json", import.meta.url), "utf8"),
).version;

/** What `wire` cannot make by itself. */
export interface ExternalParts extends Pick<Parts, "token" | "log" | "policy" | "draining">, AuditStoreParts {
  /** Where the log goes; audit records go there whatever the log's level. */
  readonly output: DestinationStream;
}

/** Makes the parts and ties them together; opens nothing. */
export function wire(
  config: Config,
  given: ExternalParts,
): { parts: Parts; audit: Audit; closeParts: () => Promise<void> } {
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
    auditUsable: () => Number(audit.trail.trouble === undefined),
    auditWaiting: () => audit.journal.waiting,
    auditUnsettled: () => audit.journal.open,
    auditLastSeq: () => audit.journal.lastSeq,
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
    admission: new Admission(slots, pacer),
    budget,
    maxAttempts: config.MAX_ATTEMPTS,
    attemptTimeoutMs: config.ATTEMPT_TIMEOUT_MS,
    userAgent: `coze-gateway/${version}`,
    onAttempt: attemptObserver(metrics, given.log),
  });
  const readiness = [
    ["token", () => given.token.generation > 0],
    ["audit", () => audit.trail.trouble === undefined],
    ["not_draining", () => !given.draining()],
  ] as const;
  const { connection } = given;
  const auditStore: Parts["auditStore"] = {
    find: async (filter, page) => (await connection.get()).find(filter, page),
    chain: async (after, limit) => (await connection.get()).chain(after, limit),
  };
  const parts = { ...given, auditStore, metrics, coze, trail: audit.trail, readiness, version };
  return { parts, audit, closeParts: () => client.close() };
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
