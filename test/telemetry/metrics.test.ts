import t from "tap";
import { auditKinds } from "../../src/audit/record.ts";
import { gatewayErrors } from "../../src/errors.ts";
import { operations } from "../../src/operations/registry.ts";
import { bareMetrics, start } from "../http/helper.ts";

t.test("gauges are read at the time of the scrape", async (t) => {
  let depth = 1;
  const { registry } = bareMetrics({
    retryBudget: () => 19.5,
    queueDepth: () => depth,
    tokenGeneration: () => 2,
    tokenAgeSeconds: () => 61.5,
    tokenExpiresInSeconds: () => Number.NaN,
    tokenFailures: () => 4,
    tokenReverts: () => 1,
    callsUnderWay: () => 3,
    sendRate: () => Number.POSITIVE_INFINITY,
    coolDownSeconds: () => 1.5,
    auditUsable: () => 1,
    auditWaiting: () => 6,
    auditUnsettled: () => 7,
    auditLastSeq: () => 800,
  });
  t.match(await registry.metrics(), /\ncoze_gateway_queue_depth 1\n/);
  depth = 5;
  const text = await registry.metrics();
  t.match(text, /\ncoze_gateway_queue_depth 5\n/);
  t.match(text, /\ncoze_gateway_retry_budget_tokens 19\.5\n/);
  t.match(text, /\ncoze_gateway_token_generation 2\n/);
  t.match(text, /\ncoze_gateway_token_age_seconds 61\.5\n/);
  t.match(text, /\ncoze_gateway_token_expires_in_seconds Nan\n/);
  t.match(
    text,
    /\n# TYPE coze_gateway_token_reload_failures_total counter\ncoze_gateway_token_reload_failures_total 4\n/,
  );
  t.match(text, /\ncoze_gateway_token_reverts_total 1\n/);
  t.match(text, /\ncoze_gateway_calls_under_way 3\n/);
  t.match(text, /\ncoze_gateway_send_rate \+Inf\n/);
  t.match(text, /\ncoze_gateway_cool_down_seconds 1\.5\n/);
  t.match(text, /\ncoze_gateway_audit_usable 1\n/);
  t.match(text, /\ncoze_gateway_audit_waiting 6\n/);
  t.match(text, /\ncoze_gateway_audit_unsettled 7\n/);
  t.match(text, /\ncoze_gateway_audit_last_seq 800\n/);
  t.match(text, /\nprocess_cpu_seconds_total /, "and Node's own metrics are there");
});

t.test("two gateways in one process do not share their numbers", async (t) => {
  const [one, two] = [bareMetrics(), bareMetrics()];
  one.authFailures.inc({ reason: "missing" });
  t.match(await one.registry.metrics(), 'reason="missing"} 1');
  t.notMatch(await two.registry.metrics(), "missing");
});

t.test("labels take values of closed sets only, whatever callers send", async (t) => {
  const { call, gateway, sandbox } = await start(t);
  sandbox.faults.add({ code: 31337 }, { body: "{}" }, { status: 503 });
  await call("GET", "/v1/api_apps");
  await call("POST", "/v1/api_apps", { app_type: "normal", name: "one" });
  await call("GET", "/v1/api_apps");
  await call("DELETE", "/v1/api_apps/7612345678901234567");
  await call("PATCH", "/v1/api_apps");
  await call("GET", "/hostile/path");
  await call("GET", "/docs/static/index.css");
  await call("GET", "/v1/api_apps", undefined, { authorization: "Bearer hostile" });
  const { body } = await gateway.admin.inject("/metrics");
  const closed: Readonly<Record<string, readonly string[]>> = {
    operation: [...operations.map(({ id }) => id), "other"],
    error: [...Object.keys(gatewayErrors), "none"],
    class: ["ok", "not_sent", "throttled", "fault", "lost", "token_rejected", "refused"],
    kind: auditKinds,
    reason: ["missing", "repeated", "malformed", "unknown", "expired"],
  };
  const own = body.split("\n").filter((line) => line.startsWith("coze_gateway_"));
  t.ok(own.length > 40);
  for (const [, name = "", value = ""] of own.join("\n").matchAll(/[{,](\w+)="([^"]*)"/g)) {
    if (name !== "le") t.ok(closed[name]?.includes(value), `${name}=${value}`);
  }
  t.notMatch(body, /hostile|7612345678901234567|docs/);
});
