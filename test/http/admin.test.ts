import t from "tap";
import { call, token } from "../helpers/gateway.ts";
import { start } from "./helper.ts";

t.test("the operators' port has health, metrics and the token's status, and nothing else", async (t) => {
  const { gateway, call: callGateway } = await start(t);
  const admin = await gateway.admin.listen({ host: "127.0.0.1", port: 0 });
  await callGateway("GET", "/v1/api_apps");
  await callGateway("GET", "/nowhere");
  const metrics = await call(`${admin}/metrics`, "GET", {});
  t.equal(metrics.status, 200);
  t.match(metrics.headers.get("content-type"), /^text\/plain; version=0\.0\.4/);
  t.match(metrics.text, 'coze_gateway_requests_total{operation="list_api_apps",error="none"} 1');
  t.match(metrics.text, 'coze_gateway_requests_total{operation="other",error="not_found"} 1');
  t.match(metrics.text, 'coze_gateway_upstream_attempts_total{operation="list_api_apps",class="ok"} 1');
  t.match(metrics.text, "coze_gateway_token_generation 1");
  t.match(metrics.text, /coze_gateway_token_age_seconds \d/);
  t.match(metrics.text, "coze_gateway_token_expires_in_seconds Nan");
  t.match(metrics.text, "coze_gateway_token_reload_failures_total 0");
  t.match(metrics.text, "coze_gateway_token_reverts_total 0");
  t.match(metrics.text, "coze_gateway_queue_depth 0");
  t.match(metrics.text, /coze_gateway_retry_budget_tokens \d/);
  t.equal((await call(`${admin}/livez`, "GET", {})).status, 200);
  t.equal((await call(`${admin}/readyz`, "GET", {})).status, 200);
  t.equal((await call(`${admin}/v1/api_apps`, "GET", {})).status, 404);
  const status = await call(`${admin}/token`, "GET", {});
  t.match(status, {
    status: 200,
    body: { source: /^file \//, state: "usable", generation: 1, reverted: false },
  });
  t.match(status.body, { fingerprint: /^[0-9a-f]{12}$/, age_seconds: Number });
  t.equal(status.headers.get("cache-control"), "no-store");
  t.notMatch(status.text, token);
});

t.test("the callers' port has neither metrics nor the token's status", async (t) => {
  const { call: callGateway } = await start(t);
  for (const path of ["/metrics", "/token"]) t.equal((await callGateway("GET", path)).status, 404);
});
