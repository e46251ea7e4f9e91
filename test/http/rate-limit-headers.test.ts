import t from "tap";
import { mintKey } from "../../src/callers/key.ts";
import { call, startGateway, startSandbox } from "../helpers/gateway.ts";
import { recordsOf } from "./helper.ts";

const app = "7512345678901234567";

t.test("every reply to a known caller tells what is left, and a refusal when to come back", async (t) => {
  const { url: cozeUrl, sandbox } = await startSandbox(t);
  const [busy, free] = [mintKey("busy"), mintKey("free")];
  const environment = { RATE_LIMIT_READ: "3/h", RATE_LIMIT_DESTRUCTIVE: "1/h", RATE_LIMIT_WRITE: "2/h" };
  const gateway = await startGateway(t, cozeUrl, environment, [
    { id: "busy", key: busy },
    { id: "free", key: free, rateLimits: { read: "unlimited", destructive: "5/m" } },
  ]);
  const ask = async (key: string, method: string, path: string, body?: unknown) => {
    const reply = await call(gateway.url + path, method, { authorization: `Bearer ${key}` }, body);
    const { headers, status } = reply;
    const [policy, left] = ["ratelimit-policy", "ratelimit"].map((name) => headers.get(name));
    return { status, policy, left, retryAfter: headers.get("retry-after"), error: reply.body.gateway?.error };
  };
  t.match(await ask(busy, "GET", "/v1/api_apps"), {
    status: 200,
    policy: '"read";q=3;w=3600',
    left: /^"read";r=2;t=\d+$/,
  });
  t.match(
    await ask(busy, "GET", "/v1/api_apps?page_size=0"),
    { status: 400, left: /r=1;/ },
    "refused ones count",
  );
  await ask(busy, "GET", "/v1/api_apps");
  const refused = await ask(busy, "GET", "/v1/api_apps");
  t.match(refused, { status: 429, error: "rate_limited", left: /r=0;/, retryAfter: /^\d+$/ });
  t.ok(Number(refused.retryAfter) > 0 && Number(refused.retryAfter) <= 1_200);
  for (let more = 0; more < 3; more++) t.equal((await ask(busy, "GET", "/v1/api_apps")).status, 429);
  t.match(await ask(busy, "DELETE", `/v1/api_apps/${app}`), {
    status: 404,
    policy: '"destructive";q=1;w=3600',
  });
  t.match(
    await ask(busy, "DELETE", `/v1/api_apps/${app}`),
    { status: 429 },
    "the destructive ones by themselves",
  );
  t.match(await ask(busy, "DELETE", `/v1/api_apps/${app}/events`, { event_types: ["a"] }), { status: 429 });
  t.match(await ask(busy, "POST", `/v1/api_apps/${app}/events`, { event_types: ["a"] }), {
    status: 404,
    policy: '"write";q=2;w=3600',
  });
  t.match(await ask(free, "GET", "/v1/api_apps"), { status: 200, policy: null, left: null });
  t.match(await ask(free, "DELETE", `/v1/api_apps/${app}`), {
    status: 404,
    policy: '"destructive";q=5;w=60',
  });
  t.equal(sandbox.calls.length, 6);
  const records = recordsOf(gateway).filter(({ error }) => error === "rate_limited");
  t.equal(records.length, 3, "of each action the first one");
  t.match(records[0], { kind: "refused", caller: "busy", status: 429, outcome: "not_sent" });
  const { body: metrics } = await gateway.gateway.admin.inject("/metrics");
  t.match(metrics, 'ratelimited_total{class="destructive"} 2');
  t.match(metrics, 'ratelimited_total{class="read"} 4');
});

t.test("who is not granted something is counted as well", async (t) => {
  const { url: cozeUrl } = await startSandbox(t);
  const key = mintKey("idle");
  const gateway = await startGateway(t, cozeUrl, { RATE_LIMIT_READ: "1/h" }, [
    { id: "idle", key, grants: [] },
  ]);
  const ask = () => call(`${gateway.url}/v1/api_apps`, "GET", { authorization: `Bearer ${key}` });
  t.equal((await ask()).status, 403);
  t.equal((await ask()).status, 429);
});

t.test("nobody else is told anything", async (t) => {
  const { url: cozeUrl } = await startSandbox(t);
  const gateway = await startGateway(t, cozeUrl, { RATE_LIMIT_READ: "1/h" });
  for (const path of ["/livez", "/openapi.json", "/nowhere"])
    t.equal((await fetch(gateway.url + path)).headers.get("ratelimit"), null);
  t.equal((await call(`${gateway.url}/v1/api_apps`, "GET", {})).headers.get("ratelimit"), null);
});
