import t from "tap";
import { mintKey } from "../../src/callers/key.ts";
import { operations } from "../../src/operations/registry.ts";
import { call, startGateway, startSandbox, token } from "../helpers/gateway.ts";
import { samples } from "../operations/helper.ts";
import { recordsOf } from "./helper.ts";

const dry = { "x-gateway-dry-run": "true" };

t.test("every operation: says what would be sent, and sends nothing", async (t) => {
  const coze = await startSandbox(t);
  const gateway = await startGateway(t, coze.url);
  for (const operation of operations) {
    const sample = samples[operation.id];
    const reply = await gateway.call(operation.method, sample?.path ?? "", sample?.body, dry);
    t.equal(reply.status, 200, reply.text);
    t.match(reply.body.data, {
      dry_run: true,
      decision: "allow",
      caller: "tester",
      operation: operation.id,
      rule: "grants[0]",
      policy_version: /^[0-9a-f]{16}$/,
      would_send: {
        method: operation.method,
        url: coze.url + (sample?.target ?? sample?.path),
        headers: { authorization: "Bearer [redacted]", "content-type": "application/json" },
      },
    });
    const { would_send } = reply.body.data as unknown as { would_send: { body?: unknown } };
    t.same(would_send.body, sample?.body);
    t.notMatch(reply.text, token);
    t.equal(reply.headers.get("x-gateway-attempts"), null);
  }
  t.same(coze.sandbox.calls, []);
  const records = recordsOf(gateway);
  t.equal(records.length, operations.length);
  for (const { kind, outcome, dry_run } of records)
    t.same([kind, outcome, dry_run], ["outcome", "not_sent", true]);
});

t.test("a dry run is refused as the call would be", async (t) => {
  const coze = await startSandbox(t);
  const key = mintKey("narrow");
  const grants = [
    { permissions: ["subscribeApiAppEvent"], api_app_ids: ["7"], event_types: ["bot.published"] },
  ];
  const gateway = await startGateway(t, coze.url, {}, [{ id: "narrow", key, grants }]);
  const subscribe = (app: string, event: string, headers: Record<string, string> = dry) =>
    call(
      `${gateway.url}/v1/api_apps/${app}/events`,
      "POST",
      { authorization: `Bearer ${key}`, ...headers },
      { event_types: [event] },
    );
  t.match(await subscribe("7", "bot.published"), { status: 200 });
  t.match(await subscribe("8", "bot.published"), { status: 403, body: { gateway: { outcome: "not_sent" } } });
  t.match(await subscribe("7", "bot.deleted"), { status: 403 });
  t.match(await subscribe("7", "bot..deleted"), { status: 400 });
  for (const value of ["yes", "1", "TRUE", "", "true, true"]) {
    const reply = await subscribe("7", "bot.published", { "x-gateway-dry-run": value });
    t.match(
      reply,
      { status: 400, body: { gateway: { issues: [{ path: "headers.x-gateway-dry-run" }] } } },
      value,
    );
  }
  t.same(coze.sandbox.calls, [], "a slip never becomes a change");
  const refused = recordsOf(gateway).filter(({ kind, status }) => kind === "refused" && status === 403);
  t.ok(refused.length === 2 && refused.every(({ dry_run }) => dry_run === true), "nor is it recorded as one");
  await subscribe("7", "bot.published", { "x-gateway-dry-run": "false" });
  t.equal(coze.sandbox.calls.length, 1);
});

t.test("what cannot be recorded is not answered either", async (t) => {
  const coze = await startSandbox(t);
  const gateway = await startGateway(t, coze.url, { AUDIT_TIMEOUT_MS: "100" });
  const { lockStore } = await import("./helper.ts");
  const unlock = lockStore(gateway);
  const reply = await gateway.call("DELETE", "/v1/api_apps/7", undefined, dry);
  unlock();
  t.match(reply, { status: 503, body: { gateway: { error: "audit_unavailable", outcome: "not_sent" } } });
});

t.test("a credential in a body is not shown", async (t) => {
  const coze = await startSandbox(t);
  const gateway = await startGateway(t, coze.url);
  const body = { app_type: "normal", name: "sat_0123456789abcdefABCDEF" };
  const { text } = await gateway.call("POST", "/v1/api_apps", body, dry);
  t.match(text, '"name":"sat_[redacted]"');
});
