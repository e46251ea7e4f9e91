import t from "tap";
import { head, start } from "./helper.ts";
import { exchange } from "./wire.ts";

t.test("a known path with another method is 405 with what it takes", async (t) => {
  const { port, key, sandbox } = await start(t);
  const apps = "GET, POST";
  const app = "DELETE, PUT";
  const events = "DELETE, GET, POST";
  for (const [method, path, allow] of [
    ["PUT", "/v1/api_apps", apps],
    ["DELETE", "/v1/api_apps", apps],
    ["PATCH", "/v1/api_apps?x=1", apps],
    ["HEAD", "/v1/api_apps", apps],
    ["OPTIONS", "/v1/api_apps", apps],
    ["TRACE", "/v1/api_apps", apps],
    ["PROPFIND", "/v1/api_apps", apps],
    ["GET", "/v1/api_apps/1", app],
    ["POST", "/v1/api_apps/1", app],
    ["PUT", "/v1/api_apps/1/events", events],
    ["POST", "/docs", "GET"],
    ["DELETE", "/openapi.json", "GET"],
    ["POST", "/livez", "GET"],
  ] as const) {
    const reply = await exchange(port, head(key, `${method} ${path}`));
    t.equal(reply.status, 405, `${method} ${path}`);
    t.equal(reply.headers.get("allow"), allow, `${method} ${path}`);
    const error = method === "HEAD" ? undefined : "method_not_allowed";
    t.equal(reply.body?.gateway.error, error, "HEAD has no body");
  }
  t.same(sandbox.calls, []);
});

t.test("any other path is 404 and goes nowhere", async (t) => {
  const { port, key, sandbox } = await start(t);
  for (const path of [
    "/",
    "/v1",
    "/v1/",
    "/v1/bots",
    "/v3/chat",
    "/v1/api_apps/",
    "/v1/api_apps/1/",
    "/v1/api_apps/1/events/",
    "/v1/api_apps/1/events/2",
    "/V1/api_apps",
    "/v1/API_APPS",
    "//v1/api_apps",
    "/v1//api_apps",
    "/v1/./api_apps",
    "/v1/x/../api_apps",
    "/v1/%2e%2e/v1/api_apps",
    "/v1/api_apps/../api_apps",
    "/v1/api_apps%2F1",
    "/v1%2Fapi_apps",
    "/v1/api_apps;a=b",
    "/v1/api_apps%00",
    "/v1/api_apps%3Fpage_size=1",
    "/v1/api_apps\\1",
    "/v1/api_app",
    "/v1/api_appss",
    "/docs/%2e%2e/%2e%2e/package.json",
    "/_sandbox/calls",
  ]) {
    const { status, body } = await exchange(port, head(key, `GET ${path}`));
    t.equal(status, 404, path);
    t.equal(body.gateway.error, "not_found", path);
  }
  t.same(sandbox.calls, []);
});

t.test("path tricks inside an id are 400", async (t) => {
  const { port, key, sandbox } = await start(t);
  for (const id of [
    "%2e%2e",
    "..",
    "%2e",
    "..%2F..%2Fx",
    "a%2Fb",
    "a;b",
    "a%00",
    "a%0d%0aX:1",
    "%D9%A1%D9%A2",
    "%F0%9F%98%80",
    "",
    "a".repeat(65),
    "a".repeat(3000),
    "%zz",
    "%ff",
    "%",
  ]) {
    const { status, text } = await exchange(port, head(key, `GET /v1/api_apps/${id}/events`));
    t.equal(status, 400, `${id.slice(0, 80)}: ${text}`);
  }
  t.same(sandbox.calls, []);
});

t.test("an upgrade is not taken up: the request is answered as it is", async (t) => {
  const { port, key, sandbox } = await start(t);
  const upgrade = (line: string) =>
    head(key, line, "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13");
  t.equal((await exchange(port, upgrade("GET /nowhere"))).status, 404);
  t.equal((await exchange(port, upgrade("GET /v1/api_apps"))).status, 200);
  t.notMatch(sandbox.calls[0]?.headers, [["upgrade", "websocket"]]);
});
