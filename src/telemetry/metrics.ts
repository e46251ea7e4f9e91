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
  readonly authFailures: Counter<"reason">;
}

/** What is read at the time of a scrape. */
export interface MetricSources {
  readonly retryBudget: () => number;
  readonly queueDepth: () => number;
  readonly tokenGeneration: () => number;
  readonly callsUnderWay: () => number;
  /** Sends a second that the brake allows; infinite while it is off. */
  readonly sendRate: () => number;
  readonly coolDownSeconds: () => number;
}

const prefix = "coze_gateway_";
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
  collectDefaultMetrics({ register: registry });
  gauge("retry_budget_tokens", "Retries that could be paid now", sources.retryBudget);
  gauge("queue_depth", "Calls that wait for a connection to Coze", sources.queueDepth);
  gauge("calls_under_way", "Calls to Coze under way, waiting ones included", sources.callsUnderWay);
  gauge("send_rate", "Sends a second that throttling has left; +Inf: no brake", sources.sendRate);
  gauge("cool_down_seconds", "Time for which Coze asked to be left alone", sources.coolDownSeconds);
  gauge("token_generation", "Coze tokens taken into use since the start", sources.tokenGeneration);
  return {
    registry,
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
    authFailures: counter("auth_failures_total", "Requests with no valid credential", ["reason"]),
  };
}
