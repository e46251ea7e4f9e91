import { DatabaseSync } from "node:sqlite";
import type { AuditRecord } from "../../src/audit/record.ts";
import { Issuers } from "../../src/callers/jwt/issuers.ts";
import type { Policy } from "../../src/callers/policy.ts";
import { AddressLimiter } from "../../src/callers/rate-limit/address-limiter.ts";
import { createRateLimiter } from "../../src/callers/rate-limit/rate-limiter.ts";
import { parseRate } from "../../src/config/rate.ts";
import type { Gate } from "../../src/http/guard.ts";
import { createMetrics, type MetricSources } from "../../src/telemetry/metrics.ts";
import { startGateway, startSandbox, type Teardown, type TestGateway } from "../helpers/gateway.ts";

/** A gateway in front of a sandbox that is at hand. */
export async function start(t: Teardown, environment: NodeJS.ProcessEnv = {}) {
  const coze = await startSandbox(t);
  const gateway = await startGateway(t, coze.url, environment);
  /** The lines of finished or given-up requests so far. */
  const requests = () => gateway.lines().filter(({ event }) => event === "request");
  return { ...gateway, sandbox: coze.sandbox, requests, records: () => recordsOf(gateway) };
}

/** The audit records of requests that were stored so far, as the log has them. */
export function recordsOf({ lines }: Pick<TestGateway, "lines">): AuditRecord[] {
  const anchors = lines().filter(({ event }) => event === "audit");
  return anchors.map((line) => line["record"] as AuditRecord).filter(({ request_id }) => request_id);
}

/** Keeps the gateway from writing its audit store, until the result is called. */
export function lockStore({ folder }: Pick<TestGateway, "folder">): () => void {
  const database = new DatabaseSync(`${folder}/audit.db`, { timeout: 60_000 });
  database.exec("BEGIN IMMEDIATE");
  return () => database.close();
}

/** Metrics of a gateway that is not there; its gauges read 0 unless told otherwise. */
export function bareMetrics(sources: Partial<MetricSources> = {}) {
  return createMetrics({
    retryBudget: () => 0,
    queueDepth: () => 0,
    tokenGeneration: () => 0,
    tokenAgeSeconds: () => 0,
    tokenExpiresInSeconds: () => 0,
    tokenFailures: () => 0,
    tokenReverts: () => 0,
    callsUnderWay: () => 0,
    sendRate: () => 0,
    coolDownSeconds: () => 0,
    auditUsable: () => 0,
    auditWaiting: () => 0,
    auditUnsettled: () => 0,
    auditLastSeq: () => 0,
    rateLimitStoreUsable: () => 0,
    issuersInTrouble: () => 0,
    keyLife: () => ({ expiring: [], expired: [], nextExpirySeconds: 0 }),
    ...sources,
  });
}

/** The head of a request up to the empty line, with the caller's key and `Connection: close`. */
export function head(key: string, line: string, ...headers: readonly string[]): string {
  const all = ["Host: x", "Connection: close", `Authorization: Bearer ${key}`, ...headers];
  return `${line} HTTP/1.1\r\n${all.map((each) => `${each}\r\n`).join("")}\r\n`;
}

/** A request with a JSON body as raw bytes. */
export function post(key: string, body: string, ...headers: readonly string[]): string {
  const length = `Content-Length: ${Buffer.byteLength(body, "latin1")}`;
  return head(key, "POST /v1/api_apps", "Content-Type: application/json", length, ...headers) + body;
}

/** A gate without any limits, where nobody owns anything and no issuer is known. */
export function gateOf(policy: () => Policy): Gate {
  const unlimited = parseRate("unlimited");
  return {
    policy,
    issuers: new Issuers(),
    addresses: new AddressLimiter(unlimited),
    limiter: createRateLimiter({ store: "memory", replicas: 1, onStoreChange: () => undefined }),
    rates: { read: unlimited, write: unlimited, destructive: unlimited },
    ownersOf: async () => new Map(),
    onLimited: () => undefined,
  };
}
