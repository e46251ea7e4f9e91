import t from "tap";
import { call } from "../helpers/gateway.ts";
import { start } from "./helper.ts";

t.test("the operators' port has health and metrics and nothing else", async (t) => {
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
  t.match(metrics.text, "coze_gateway_queue_depth 0");
  t.match(metrics.text, /coze_gateway_retry_budget_tokens \d/);
  t.equal((await call(`${admin}/livez`, "GET", {})).status, 200);
  t.equal((await call(`${admin}/readyz`, "GET", {})).status, 200);
  t.equal((await call(`${admin}/v1/api_apps`, "GET", {})).status, 404);
});

t.test("the callers' port has no metrics", async (t) => {
  const { call: callGateway } = await start(t);
  t.equal((await callGateway("GET", "/metrics")).status, 404);
});
