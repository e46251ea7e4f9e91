import t from "tap";
import { hashKey, mintKey } from "../../src/callers/key.ts";
import { call, startGateway, startSandbox } from "../helpers/gateway.ts";
import { recordsOf } from "./helper.ts";

const grants = [
  { permissions: ["listApiApp", "deleteApiApp"], api_app_ids: ["7"] },
  { permissions: ["createApiApp"], api_app_ids: "own" as const },
];

async function start(t: Parameters<typeof startSandbox>[0]) {
  const coze = await startSandbox(t);
  const key = mintKey("orders");
  const caller = {
    id: "orders",
    key,
    grants,
    expiresAt: "2099-01-01T00:00:00Z",
    rateLimits: { write: "3/m" },
  };
  const gateway = await startGateway(t, coze.url, { RATE_LIMIT_READ: "7/s" }, [caller]);
  const ask = (query = "", as = key) =>
    call(`${gateway.url}/gateway/v1/whoami${query}`, "GET", { authorization: `Bearer ${as}` });
  return { ...gateway, ask, orders: key, sandbox: coze.sandbox };
}

t.test("who is calling, with which grants and limits; never the key", async (t) => {
  const { ask, orders, sandbox } = await start(t);
  const { status, body, text, headers } = await ask();
  t.equal(status, 200);
  t.same(body.data, {
    caller: "orders",
    credential: { kind: "key", id: hashKey(orders).slice(0, 16), expires_at: "2099-01-01T00:00:00.000Z" },
    grants: [
      { rule: "grants[0]", ...grants[0] },
      { rule: "grants[1]", ...grants[1] },
    ],
    operations: [
      { operation: "create_api_app", rule: "grants[1]" },
      { operation: "list_api_apps", rule: "grants[0]" },
      { operation: "delete_api_app", rule: "grants[0]" },
      { operation: "list_subscribed_events", rule: "grants[0]" },
    ],
    rate_limits: { read: "7/s", write: "3/m", destructive: "unlimited" },
    policy_version: (body.data as unknown as { policy_version: string }).policy_version,
  });
  t.match((body.data as unknown as { policy_version: string }).policy_version, /^[0-9a-f]{16}$/);
  t.notMatch(text, orders);
  t.match(headers.get("ratelimit-policy"), '"read";q=7;w=1');
  t.same(sandbox.calls, []);
});

t.test("whether something would be allowed, and by which grant", async (t) => {
  const { ask, key } = await start(t);
  const decisionOf = async (query: string, as?: string) => {
    const { body } = await ask(query, as);
    return (body.data as unknown as { decision: unknown }).decision;
  };
  t.same(await decisionOf("?operation=delete_api_app&api_app_id=7"), {
    operation: "delete_api_app",
    allowed: true,
    rule: "grants[0]",
  });
  t.same(await decisionOf("?operation=delete_api_app&api_app_id=8"), {
    operation: "delete_api_app",
    allowed: false,
    reason: "Caller orders does not hold deleteApiApp on this callback app.",
  });
  t.match(await decisionOf("?operation=create_api_app&app_type=normal"), {
    allowed: true,
    rule: "grants[1]",
  });
  t.match(await decisionOf("?operation=subscribe_events&api_app_id=8&event_type=x", key), { allowed: true });
});

t.test("bad questions, and callers that are unknown", async (t) => {
  const { ask, ...gateway } = await start(t);
  for (const query of [
    "?operation=erase",
    "?api_app_id=a/b",
    "?who=me",
    "?event_type=..",
    "?operation=delete_api_app",
  ])
    t.match(await ask(query), { status: 400, body: { gateway: { error: "invalid_request" } } }, query);
  t.match(await ask("", mintKey("orders")), { status: 401 });
  t.ok(recordsOf(gateway).every(({ kind, operation }) => kind === "refused" && operation === "whoami"));
});

t.test("a grant on named apps makes no new one", async (t) => {
  const coze = await startSandbox(t);
  const key = mintKey("orders");
  const named = [{ permissions: ["createApiApp", "deleteApiApp"], api_app_ids: ["7"] }];
  const gateway = await startGateway(t, coze.url, {}, [{ id: "orders", key, grants: named }]);
  const url = `${gateway.url}/gateway/v1/whoami?operation=create_api_app`;
  const { body } = await call(url, "GET", { authorization: `Bearer ${key}` });
  t.match(body.data, { operations: [{ operation: "delete_api_app" }], decision: { allowed: false } });
  t.equal((body.data as unknown as { operations: unknown[] }).operations.length, 1);
});
