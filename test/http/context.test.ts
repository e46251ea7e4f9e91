import t from "tap";
import { head, post, start } from "./helper.ts";
import { exchange } from "./wire.ts";

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

t.test("a well-formed request id is taken over, in header, body and log", async (t) => {
  const { call, requests } = await start(t);
  for (const id of ["a", "Az-09._", "x".repeat(128), "0b6f6a1e-6d0c-4c9d-8a52-3f1d8d6f7b10"]) {
    const { headers, body } = await call("GET", "/nowhere", undefined, { "x-request-id": id });
    t.equal(headers.get("x-request-id"), id);
    t.equal(body.gateway.request_id, id);
    t.equal(requests().at(-1)?.["request_id"], id);
  }
});

t.test("any other is replaced", async (t) => {
  const { port, key, text } = await start(t);
  for (const id of [
    "",
    "x".repeat(129),
    "forged id",
    'forged","level":"fatal',
    "forged\\n",
    "forged\x1b[31m",
    "forged\xe2\x80\xa8x",
    "forged\xe2\x80\xaex",
    "forged/../x",
    key,
    `x${key}`,
    `trace_${key}`,
    "pat_forged0123456789abcdef",
  ]) {
    const { headers, status } = await exchange(port, head(key, "GET /nowhere", `X-Request-Id: ${id}`));
    if (status === 404) t.match(headers.get("x-request-id"), uuid, JSON.stringify(id));
    else t.equal(status, 400, "Node refuses control characters itself");
  }
  const { headers } = await exchange(port, head(key, "GET /nowhere", "X-Request-Id: a", "X-Request-Id: b"));
  t.match(headers.get("x-request-id"), uuid, "two are none");
  t.notMatch(text(), "forged");
});

t.test("common headers are on every kind of reply", async (t) => {
  const { port, key } = await start(t);
  for (const bytes of [
    head(key, "GET /v1/api_apps"),
    head(key, "GET /nowhere"),
    head(key, "GET /%"),
    head(key, "GET /docs"),
    head(key, "GET /openapi.json"),
    head("wrong", "GET /v1/api_apps"),
    post(key, "{"),
    "nonsense\r\n\r\n",
  ]) {
    const { headers, bytes: all } = await exchange(port, bytes);
    t.match(headers.get("x-request-id"), uuid, all.slice(0, 200));
    t.equal(headers.get("x-content-type-options"), "nosniff");
    t.equal(headers.get("cache-control"), "no-store");
  }
});

t.test("a target over 4096 bytes is 414, up to it is not", async (t) => {
  const { port, key, sandbox } = await start(t);
  const fill = (length: number) => head(key, `GET ${"/v1/api_apps?page_token=".padEnd(length, "a")}`);
  const over = await exchange(port, fill(4097));
  t.equal(over.status, 414);
  t.equal(over.body.gateway.error, "uri_too_long");
  t.equal((await exchange(port, fill(4096))).status, 400, "validation sees it");
  t.same(sandbox.calls, []);
});

t.test("targets other than a path", async (t) => {
  const { port, key, sandbox } = await start(t);
  for (const line of [
    "GET http://127.0.0.1/v1/api_apps",
    "GET https://api.coze.cn/v1/api_apps",
    "GET HTTP://x/",
    "OPTIONS *",
    "GET *",
  ]) {
    const { status, body } = await exchange(port, head(key, line));
    t.equal(status, 400, line);
    t.equal(body.gateway.error, "malformed_http");
    t.equal(body.msg, "Send the path alone as target.");
  }
  t.same(sandbox.calls, []);
});

t.test("HTTP/1.1 needs one Host, HTTP/1.0 none", async (t) => {
  const { port, key, sandbox } = await start(t);
  const request = (version: string, hosts: string) =>
    `GET /v1/api_apps HTTP/${version}\r\n${hosts}Connection: close\r\nAuthorization: Bearer ${key}\r\n\r\n`;
  for (const hosts of ["", "Host: a\r\nHost: b\r\n", "Host: a\r\nhost: a\r\n"]) {
    const { status, body } = await exchange(port, request("1.1", hosts));
    t.equal(status, 400);
    t.equal(body.msg, "HTTP/1.1 needs one Host header.");
  }
  t.equal((await exchange(port, "GET /v1/api_apps\r\n\r\n")).status, 400, "HTTP/0.9");
  t.same(sandbox.calls, []);
  t.equal((await exchange(port, request("1.0", ""))).status, 200);
  t.equal((await exchange(port, request("1.1", "Host: a\r\n"))).status, 200);
  t.equal(sandbox.calls.length, 2);
});

t.test("an expectation that nobody knows does not stop a request", async (t) => {
  const { port, key } = await start(t);
  const { status, body } = await exchange(port, post(key, "{}", "Expect: miracles"));
  t.equal(status, 400);
  t.equal(body.gateway.error, "invalid_request", "in the envelope, not Node's bare 417");
  const continued = await exchange(port, post(key, "{}", "Expect: 100-continue"));
  t.match(continued.bytes, /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 400 /);
});
