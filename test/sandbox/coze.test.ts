import t from "tap";
import { exchange, startSandbox, tokens } from "./helper.ts";

const logid = /^\d{14}[0-9A-F]{20}$/;

t.test("a missing or wrong token is 401 with the logid in the header only", async (t) => {
  const { call } = await startSandbox(t);
  for (const authorization of ["", "Bearer no"]) {
    const reply = await call("GET", "/v1/api_apps", undefined, { authorization });
    t.equal(reply.status, 401);
    t.equal(reply.text, '{"code":700012006,"msg":"access token invalid"}');
    t.match(reply.headers.get("x-tt-logid"), logid);
  }
});

t.test("each operation needs its own permission", async (t) => {
  const app = "/v1/api_apps/75";
  const body = { app_type: "normal", name: "x", event_types: ["x"] };
  const needed = [
    ["POST", "/v1/api_apps", "createApiApp", body],
    ["PUT", app, "updateApiApp", body],
    ["GET", "/v1/api_apps", "listApiApp"],
    ["DELETE", app, "deleteApiApp"],
    ["POST", `${app}/events`, "subscribeApiAppEvent", body],
    ["GET", `${app}/events`, "listApiApp"],
    ["DELETE", `${app}/events`, "unsubscribeApiAppEvent", body],
  ] as const;
  const all = needed.map(([, , permission]) => permission);
  const { call } = await startSandbox(t, {
    tokens: new Map(
      all.flatMap((permission) => [
        [`only-${permission}`, new Set([permission])],
        [`not-${permission}`, new Set(all.filter((other) => other !== permission))],
      ]),
    ),
  });
  for (const [method, path, permission, input] of needed) {
    const as = (token: string) => call(method, path, input, { authorization: `Bearer ${token}` });
    const refused = await as(`not-${permission}`);
    t.match(refused, { status: 200, json: { code: 4101 } }, `${method} ${path}`);
    t.match(refused.json, { detail: { logid: refused.headers.get("x-tt-logid") } });
    t.match((await as(`only-${permission}`)).json, { code: path === "/v1/api_apps" ? 0 : 4200 });
  }
});

t.test("an unknown path or method is 404 with code 4000, token or not", async (t) => {
  const { call } = await startSandbox(t);
  for (const [method, path] of [
    ["GET", "/"],
    ["GET", "/v1/api_apps/75"],
    ["PATCH", "/v1/api_apps/75"],
    ["GET", "/v1/api_apps/"],
    ["POST", "/v1/bots?x=1"],
  ] as const) {
    const { status, headers, json } = await call(method, path, undefined, { authorization: "" });
    t.equal(status, 404);
    const msg = `no such API: ${method} ${path.split("?")[0]}`;
    t.same(json, { code: 4000, msg, detail: { logid: headers.get("x-tt-logid") } });
  }
  t.equal((await call("HEAD", "/v1/api_apps")).status, 404);
});

t.test("malformed input is refused, and the next call is served", async (t) => {
  const { base, call, port } = await startSandbox(t);
  const refused = [
    await call("GET", "/%zz"),
    await call("GET", `/v1/api_apps/${"9".repeat(500)}/events`),
    await call("DELETE", "/v1/api_apps/75", undefined, { "content-type": "a b;;" }),
    await call("POST", "/v1/api_apps", "x".repeat(15 * 1024 * 1024 + 1)),
  ];
  for (const { status, headers, json } of refused) {
    t.equal(status, 400);
    t.match(headers.get("x-tt-logid"), logid);
    t.match(json, { code: 4000, detail: { logid: headers.get("x-tt-logid") } });
  }
  t.match(await exchange(port, "\0\0 nonsense\r\n\r\n"), { text: /^HTTP\/1.1 400 / });
  for (const body of ["\0", "[".repeat(10_000), '{"__proto__":{"app_type":"normal"}}', '{"app_type":{}}']) {
    t.match(await call("POST", "/v1/api_apps", body), { status: 400, json: { code: 4000 } });
  }
  t.equal((await fetch(`${base}/v1/api_apps`, { headers: { authorization: "Bearer sat_all" } })).status, 200);
});

t.test("a failure of the local Coze itself is code 5000, not a lost call", async (t) => {
  const broken = new Map(tokens);
  broken.get = () => {
    throw new TypeError("a bug");
  };
  const { call } = await startSandbox(t, { tokens: broken });
  t.match(await call("GET", "/v1/api_apps"), { status: 500, json: { code: 5000, msg: /a bug/ } });
});

t.test("a fault strikes the call that it is for", async (t) => {
  const { call, faults, calls } = await startSandbox(t);
  faults.add({ method: "DELETE", path: "/v1/api_apps/:api_app_id", code: 4009 });
  t.match((await call("GET", "/v1/api_apps?page_size=1")).json, { code: 0 });
  t.match((await call("DELETE", "/v1/api_apps/75?x=/y")).json, { code: 4009 });
  t.match((await call("DELETE", "/v1/api_apps/75")).json, { code: 4200 });
  faults.add({ status: 500 });
  t.equal((await call("GET", "/no/such/path")).status, 500);
  t.equal(calls.length, 4);
});
