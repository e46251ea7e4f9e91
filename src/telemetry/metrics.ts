import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";

/** The gateway's metrics. Labels take values from closed sets only: operation ids, classes, words of the error table. */
export interface Metrics {
  readonly registry: Registry;
  readonly requests: Counter<"operation" | "error">;
  readonly requestSeconds: Histogram<"operation">;
  readonly attempts: Counter<"operation" | "class">;
  readonly attemptSeconds: Histogram<"operation">;
  readonly unknownCodes: Counter;
  readonly leaks: Counter;
  readonly rateLimited: Counter<"class">;
  readonly authFailures: Counter<"reason">;
  readonly auditRecords: Counter<"kind">;
  readonly auditFailures: Counter;
  readonly auditAppendSeconds: Histogram;
}

/** What is read at the time of a scrape. */
export interface MetricSources {
  readonly retryBudget: () => number;
  readonly queueDepth: () => number;
  readonly tokenGeneration: () => number;
  /** NaN while there is no token. */
  readonly tokenAgeSeconds: () => number;
  /** NaN when it is not known. */
  readonly tokenExpiresInSeconds: () => number;
  readonly tokenFailures: () => number;
  readonly tokenReverts: () => number;
  readonly callsUnderWay: () => number;
  /** Sends a second that the brake allows; infinite while it is off. */
  readonly sendRate: () => number;
  readonly coolDownSeconds: () => number;
  /** 1 while audit records can be stored, else 0. */
  readonly auditUsable: () => number;
  readonly auditWaiting: () => number;
  readonly auditUnsettled: () => number;
  readonly auditLastSeq: () => number;
  /** 1 while the limits of callers are shared as configured, else 0. */
  readonly rateLimitStoreUsable: () => number;
  readonly issuersInTrouble: () => number;
  readonly keyLife: () => {
    readonly expiring: readonly unknown[];
    readonly expired: readonly unknown[];
    readonly nextExpirySeconds: number;
  };
}

const prefix = "coze_gateway_";
const appendBuckets = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1];
const buckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** Makes a registry of its own, so that several gateways can live in one process (tests do that). */
export function createMetrics(sources: MetricSources): Metrics {
  const registry = new Registry();
  const registers = [registry];
  const counter = <L extends string>(name: string, help: string, labelNames: L[] = []) =>
    new Counter<L>({ name: prefix + name, help, labelNames, registers });
  const histogram = (name: string, help: string) =>
    new Histogram({ name: prefix + name, help, labelNames: ["operation"] as const, buckets, registers });
  const gauge = (name: string, help: string, read: () => number) =>
    new Gauge({
      name: prefix + name,
      help,
      registers,
      collect() {
        this.set(read());
      },
    });
  const total = (name: string, help: string, read: () => number) =>
    new Counter({
      name: prefix + name,
      help,
      registers,
      collect() {
        this.reset();
        this.inc(read());
      },
    });
  collectDefaultMetrics({ register: registry });
  gauge("retry_budget_tokens", "Retries that could be paid now", sources.retryBudget);
  gauge("queue_depth", "Calls that wait for a connection to Coze", sources.queueDepth);
  gauge("calls_under_way", "Calls to Coze under way, waiting ones included", sources.callsUnderWay);
  gauge("send_rate", "Sends a second that throttling has left; +Inf: no brake", sources.sendRate);
  gauge("cool_down_seconds", "Time for which Coze asked to be left alone", sources.coolDownSeconds);
  gauge("token_generation", "Coze tokens taken into use since the start", sources.tokenGeneration);
  gauge(
    "token_age_seconds",
    "Time since the token in use was taken; NaN: there is none",
    sources.tokenAgeSeconds,
  );
  gauge(
    "token_expires_in_seconds",
    "Time until the token in use is over; NaN: not known",
    sources.tokenExpiresInSeconds,
  );
  total(
    "token_reload_failures_total",
    "Troubles of the token's source: an unusable file, or a failed mint",
    sources.tokenFailures,
  );
  total(
    "token_reverts_total",
    "New tokens that Coze rejected while an older one still worked",
    sources.tokenReverts,
  );
  gauge("audit_usable", "1: audit records can be stored; 0: mutating calls are refused", sources.auditUsable);
  gauge("audit_waiting", "Audit records that wait to be stored", sources.auditWaiting);
  gauge("audit_unsettled", "Recorded attempts whose outcome is still to come", sources.auditUnsettled);
  gauge("audit_last_seq", "Number of the newest record of this process's stream", sources.auditLastSeq);
  gauge(
    "rate_limit_store_usable",
    "1: limits are shared as configured; 0: each replica keeps to its part",
    sources.rateLimitStoreUsable,
  );
  gauge(
    "keys_expiring",
    "Live caller keys that expire within 14 days",
    () => sources.keyLife().expiring.length,
  );
  gauge("keys_expired", "Caller keys in the file that have expired", () => sources.keyLife().expired.length);
  gauge(
    "key_next_expiry_seconds",
    "Time until the next caller key expires; +Inf: none will",
    () => sources.keyLife().nextExpirySeconds,
  );
  gauge("issuers_in_trouble", "Issuers of JWTs that cannot be asked now", sources.issuersInTrouble);
  return {
    registry,
    rateLimited: counter("ratelimited_total", "Requests refused for coming too fast", ["class"]),
    requests: counter("requests_total", "Requests answered, by gateway.error (none: success)", [
      "operation",
      "error",
    ]),
    requestSeconds: histogram(
      "request_duration_seconds",
      "Time from the request's arrival to the end of its reply",
    ),
    attempts: counter("upstream_attempts_total", "Attempts at Coze, by how they ended", [
      "operation",
      "class",
    ]),
    attemptSeconds: histogram("upstream_attempt_duration_seconds", "Time of one attempt at Coze"),
    unknownCodes: counter("upstream_unknown_codes_total", "Replies with a code that the table does not know"),
    leaks: counter("secret_tripwire_total", "Replies of Coze withheld because they showed the token"),
    auditRecords: counter("audit_records_total", "Audit records stored", ["kind"]),
    auditFailures: counter("audit_failures_total", "Writes of the audit store that failed or took too long"),
    auditAppendSeconds: new Histogram({
      name: `${prefix}audit_append_seconds`,
      help: "Time of one durable write of the audit store, often of many records",
      buckets: appendBuckets,
      registers,
    }),
    authFailures: counter("auth_failures_total", "Requests with no valid credential", ["reason"]),
  };
}
