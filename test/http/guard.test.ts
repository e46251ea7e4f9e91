import crypto from "node:crypto";
import { syncBuiltinESMExports } from "node:module";
import t from "tap";
import { eventually } from "../config/eventually.ts";
import { head, start } from "./helper.ts";
import { exchange } from "./wire.ts";

const path = "GET /v1/api_apps";

t.test("credentials that are refused, and why in the metric only", async (t) => {
  const { port, key, sandbox, gateway } = await start(t);
  const bare = (...lines: readonly string[]) =>
    `${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${lines.map((line) => `${line}\r\n`).join("")}\r\n`;
  const basic = Buffer.from(`tester:${key}`).toString("base64");
  for (const lines of [
    [],
    ["Authorization:"],
    ["Authorization: Bearer"],
    [`Authorization: ${key}`],
    [`Authorization: Basic ${basic}`],
    [`Authorization: Bearer ${key} x`],
    [`Authorization: Bearer ${key}x`],
    [`Authorization: Bearer ${key.toUpperCase()}`],
    [`Authorization: Token ${key}`],
    [`X-Api-Key: ${key}`],
    [`Proxy-Authorization: Bearer ${key}`],
    [`Authorization: Bearer ${"a".repeat(9000)}`],
  ]) {
    const { status, body, headers, bytes } = await exchange(port, bare(...lines));
    t.equal(status, 401, String(lines));
    t.equal(body.gateway.error, "unauthenticated");
    t.equal(headers.get("www-authenticate"), 'Bearer realm="coze-gateway"');
    t.notMatch(bytes, key);
  }
  t.same(sandbox.calls, []);
  const text = await gateway.admin.inject("/metrics");
  for (const line of ['reason="missing"} 3', 'reason="malformed"} 7', 'reason="unknown"} 2']) {
    t.match(text.body, `coze_gateway_auth_failures_total{${line}`);
  }
});

t.test("two Authorization headers are refused, even the same one twice and in any case", async (t) => {
  const { port, key, sandbox } = await start(t);
  for (const second of [
    `Authorization: Bearer ${key}`,
    `AUTHORIZATION: Bearer x`,
    "authorization: Basic eA==",
  ]) {
    const { status, body } = await exchange(port, head(key, path, second));
    t.equal(status, 401, second);
    t.equal(body.msg, "Send one Authorization header, not several.");
  }
  t.same(sandbox.calls, []);
});

t.test("bearer in any case, and blanks around the key", async (t) => {
  const { port, key } = await start(t);
  for (const scheme of ["bearer", "BEARER", "Bearer  "]) {
    const bytes = head("x", path).replace("Bearer x", `${scheme} ${key} `);
    t.equal((await exchange(port, bytes)).status, 200, scheme);
  }
});

t.test("who is unknown or not granted is told so before the body is read", async (t) => {
  const { port, sandbox } = await start(t);
  const { status } = await exchange(
    port,
    head("wrong", "POST /v1/api_apps", "Content-Type: text/plain", "Content-Length: 100000") + "x".repeat(10),
  );
  t.equal(status, 401, "not 415 or 413, and without waiting for the rest");
  t.same(sandbox.calls, []);
});

t.test(
  "an address with too many failures is refused before anything is hashed, and let in again",
  async (t) => {
    const { call, url, gateway, requests } = await start(t, { RATE_LIMIT_UNAUTHENTICATED: "2/s" });
    const anonymous = () =>
      fetch(`${url}/v1/api_apps`, { headers: { connection: "close", authorization: "Bearer x" } });
    const hashed = counting(t);
    t.same([(await anonymous()).status, (await anonymous()).status], [401, 401]);
    t.equal(hashed.count, 2);
    const refused = await anonymous();
    t.equal(refused.status, 429);
    t.equal(refused.headers.get("retry-after"), "1");
    t.equal(
      (await call("GET", "/v1/api_apps")).status,
      429,
      "whoever it is: the credential is not looked at",
    );
    t.equal(hashed.count, 2);
    t.match(requests().at(-1), { error: "rate_limited", caller: undefined });
    await eventually("being let in again", async () => (await call("GET", "/v1/api_apps")).status === 200);
    for (let round = 0; round < 10; round++) await call("GET", "/v1/api_apps");
    t.equal((await call("GET", "/v1/api_apps")).status, 200, "who is known uses nothing up");
    const { body } = await gateway.admin.inject("/metrics");
    t.match(body, /ratelimited_total\{class="unauthenticated"\} [2-9]/);
  },
);

t.test("requests that come on one connection in one go are counted one by one", async (t) => {
  const { port } = await start(t, { RATE_LIMIT_UNAUTHENTICATED: "3/h" });
  const hashed = counting(t);
  const one = `${path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer x\r\n\r\n`;
  const { bytes } = await exchange(port, one.repeat(50) + head("x", path));
  t.equal(bytes.match(/HTTP\/1.1 401/g)?.length, 3);
  t.equal(bytes.match(/HTTP\/1.1 429/g)?.length, 48);
  t.equal(hashed.count, 3);
});

/** Counts hashing in this process, until the test ends. */
function counting(t: Pick<typeof import("tap").t, "teardown">) {
  const { createHash } = crypto;
  const hashed = { count: 0 };
  t.teardown(() => {
    Object.assign(crypto, { createHash });
    syncBuiltinESMExports();
  });
  Object.assign(crypto, {
    createHash: (name: string) => {
      hashed.count += 1;
      return createHash(name);
    },
  });
  syncBuiltinESMExports();
  return hashed;
}
