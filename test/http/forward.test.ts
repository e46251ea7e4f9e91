import t from "tap";
import { buildSandbox } from "../../src/sandbox/coze.ts";
import { startGateway, token } from "../helpers/gateway.ts";
import { appId, success } from "../operations/helper.ts";
import { head, start } from "./helper.ts";
import { exchange } from "./wire.ts";

t.test("a success is Coze's own bytes", async (t) => {
  const { call, sandbox } = await start(t);
  for (const body of [
    '{"code":0}',
    ' {\n\t"msg" : "" ,"code"\r\n:0 } ',
    '{"code":0,"data":{"id":9223372036854775807,"big":1e400,"small":0.1000,"neg":-0}}',
    '{"code":0,"msg":"\\u4f60\\/\\u0000\\ud83d\\ude00\\ud83d","data":"你好 \u2028😀"}',
    '{"code":0,"a":1,"a":2,"__proto__":{"x":1}}',
    '{"code":0,"detail":null,"data":[]}',
    `{"code":0,"data":"${"é".repeat(200_000)}"}`,
  ]) {
    sandbox.faults.add({ body, content_type: "text/plain; charset=gbk" });
    const reply = await call("GET", "/v1/api_apps");
    t.equal(reply.status, 200);
    t.equal(reply.text, body);
    t.equal(reply.headers.get("content-type"), "application/json; charset=utf-8");
    t.equal(reply.headers.get("content-length"), String(Buffer.byteLength(body)));
    t.equal(reply.headers.get("x-gateway-attempts"), "1");
    t.equal(reply.headers.get("x-tt-logid"), sandbox.calls.at(-1)?.logid);
  }
});

t.test("Coze's errors get the right status, with HTTP 200 as well", async (t) => {
  const { call, sandbox } = await start(t, { MAX_ATTEMPTS: "1" });
  for (const [code, status, error] of [
    [4000, 400, "coze_invalid_request"],
    [4302, 400, "coze_invalid_request"],
    [4200, 404, "coze_not_found"],
    [4016, 409, "coze_conflict"],
    [4028, 429, "coze_quota"],
    [700012006, 502, "coze_token_rejected"],
    [4100, 502, "coze_token_rejected"],
    [4101, 502, "coze_permission_missing"],
    [4102, 502, "coze_blocked"],
    [5000, 502, "coze_unavailable"],
    [31337, 502, "coze_error"],
    ["4200", 404, "coze_not_found"],
    // The last, as it makes the gateway slow down.
    [4009, 429, "coze_throttled"],
  ] as const) {
    sandbox.faults.add({ code, msg: "as told", status: 200 });
    const reply = await call("GET", "/v1/api_apps");
    const logid = sandbox.calls.at(-1)?.logid;
    t.equal(reply.status, status, String(code));
    t.equal(reply.body.code, Number(code), "Coze's own code");
    t.match(reply.body.msg, 'Coze says: "as told".');
    t.equal(reply.body.gateway.error, error);
    t.equal(reply.body.gateway.attempts, 1);
    t.equal(reply.headers.get("x-gateway-attempts"), "1");
    t.equal(reply.body.detail.logid, code === 700012006 ? reply.headers.get("x-tt-logid") : logid);
    t.equal(reply.headers.get("x-tt-logid"), logid);
    t.equal(reply.headers.has("retry-after"), status === 429);
    t.notOk("outcome" in reply.body.gateway, "a list changes nothing");
  }
});

t.test("the missing permission is named", async (t) => {
  const { call, sandbox } = await start(t, { MAX_ATTEMPTS: "1" });
  sandbox.faults.add({ code: 4101, msg: "no" });
  const { body } = await call("DELETE", `/v1/api_apps/${appId}`);
  t.match(body.msg, /operators must add it\. Missing: deleteApiApp\. Coze says: "no"\./);
});

t.test("a fault without an envelope has the gateway's code and no logid", async (t) => {
  const { call, sandbox } = await start(t, { MAX_ATTEMPTS: "2" });
  sandbox.faults.add({ html: true, times: 2 });
  const { status, body, headers } = await call("GET", "/v1/api_apps");
  t.equal(status, 502);
  t.equal(body.code, 502001);
  t.equal(body.detail.logid, "");
  t.equal(headers.has("x-tt-logid"), false);
  t.equal(body.msg, "Coze failed to serve the call. Attempts: 2, stopped: attempts_used_up.");
});

t.test("Coze's code 0 is no code of a failure", async (t) => {
  const { call, sandbox } = await start(t, { MAX_ATTEMPTS: "1" });
  sandbox.faults.add({ body: '{"code":0}', status: 404 }, { body: "{}" }, { truncate: 5 });
  for (const error of ["coze_malformed", "coze_malformed", "coze_unavailable"]) {
    const { status, body } = await call("GET", "/v1/api_apps");
    t.equal(status, 502);
    t.equal(body.gateway.error, error);
    t.ok(body.code >= 502001);
  }
});

t.test("Retry-After is passed on in whole seconds", async (t) => {
  const { call, sandbox } = await start(t);
  sandbox.faults.add({ status: 429, headers: { "retry-after": "120" } });
  const { status, body, headers } = await call("GET", "/v1/api_apps");
  t.equal(status, 429);
  t.equal(headers.get("retry-after"), "120");
  t.equal(body.gateway.stopped, "no_time_left");
  const next = await call("GET", "/v1/api_apps");
  t.equal(next.status, 429, "and until then nothing is sent");
  t.equal(next.body.gateway.attempts, 0);
  t.match(next.headers.get("retry-after"), /^1(19|20)$/);
  t.equal(sandbox.calls.length, 1);
});

t.test("Coze's text is foreign: without the token, short, and on one line", async (t) => {
  const { call, sandbox } = await start(t);
  const msg = `a\r\nb\u2028c\u202ed\u0000e ${"z".repeat(2000)}`;
  sandbox.faults.add({ code: 4000, msg });
  const { body } = await call("GET", "/v1/api_apps");
  t.match(body.msg, /Coze says: "a {2}b c d e z{400,500}"\. Attempts/);
});

t.test("the caller may shorten the time but not lengthen it", async (t) => {
  const { call, sandbox } = await start(t, { REQUEST_TIMEOUT_MS: "1000", ATTEMPT_TIMEOUT_MS: "1000" });
  sandbox.faults.add({ ...success, delay_ms: 60_000, times: 2 });
  const startedAt = performance.now();
  const short = await call("GET", "/v1/api_apps", undefined, { "x-gateway-timeout-ms": "200" });
  const afterShort = performance.now() - startedAt;
  t.equal(short.status, 504);
  t.equal(short.body.gateway.error, "coze_timeout");
  t.ok(afterShort >= 195, `${afterShort}`);
  const long = await call("GET", "/v1/api_apps", undefined, { "x-gateway-timeout-ms": "999999999" });
  t.equal(long.status, 504);
  t.ok(performance.now() - startedAt - afterShort >= 990);
  for (const wrong of ["0", "-1", "1.5", "soon", "1000000000"]) {
    const { status, body } = await call("GET", "/v1/api_apps", undefined, { "x-gateway-timeout-ms": wrong });
    t.equal(status, 400, wrong);
    t.equal(body.gateway.issues[0]?.path, "headers.x-gateway-timeout-ms");
  }
  t.equal(sandbox.calls.length, 2);
});

t.test("of the caller's headers only Accept-Language reaches Coze, when it is well-formed", async (t) => {
  const { port, key, sandbox } = await start(t);
  sandbox.faults.add({ ...success, times: 4 });
  const languages = ["zh-CN,zh;q=0.9, *;q=0.1", "x".repeat(129), "zh\x80", ""];
  for (const language of languages) {
    const { status } = await exchange(
      port,
      head(
        key,
        "GET /v1/api_apps",
        `Accept-Language: ${language}`,
        "X-Forwarded-For: 10.0.0.1",
        "X-Forwarded-Host: evil.example",
        "Forwarded: for=10.0.0.1",
        "Cookie: a=b",
        "Referer: http://evil.example",
        "X-Anything: 1",
        "User-Agent: evil",
        "Accept: text/html",
        "Accept-Encoding: gzip",
        "Content-Type: text/html",
        "Agw-Js-Conv: str",
        "X-Tt-Logid: forged",
        "Keep-Alive: timeout=1",
      ),
    );
    t.equal(status, 200);
  }
  for (const [index, { headers }] of sandbox.calls.entries()) {
    const allowed = [
      "host",
      "connection",
      "authorization",
      "accept",
      "accept-encoding",
      "content-type",
      "user-agent",
    ];
    t.same(
      headers.map(([name]) => name.toLowerCase()),
      index === 0 ? [...allowed, "accept-language"] : allowed,
    );
    const values = new Map(headers.map(([name, value]) => [name, value]));
    t.match(values.get("host"), /^127\.0\.0\.1:\d+$/);
    t.equal(values.get("authorization"), `Bearer ${token}`);
    t.equal(values.get("accept-encoding"), "identity");
    t.match(values.get("user-agent"), /^coze-gateway\//);
    t.equal(values.get("accept-language"), index === 0 ? languages[0] : undefined);
  }
});

t.test("nothing could be sent: 503 and not_sent", async (t) => {
  const coze = buildSandbox({ tokens: new Map() });
  const url = await coze.listen({ host: "127.0.0.1", port: 0 });
  const { call } = await startGateway(t, url, { MAX_ATTEMPTS: "1" });
  await coze.close();
  const { status, body, headers } = await call("DELETE", `/v1/api_apps/${appId}`);
  t.equal(status, 503);
  t.equal(body.gateway.error, "coze_unreachable");
  t.equal(body.gateway.outcome, "not_sent");
  t.equal(headers.get("retry-after"), "2");
});

t.test("every retry has a line with reason, attempt, wait and logid", async (t) => {
  const { call, sandbox, lines } = await start(t);
  sandbox.faults.add({ status: 500 }, success);
  const reply = await call("GET", "/v1/api_apps", undefined, { "x-request-id": "mine" });
  t.equal(reply.status, 200);
  const retries = lines().filter(({ event }) => event === "retry");
  t.match(retries, [
    {
      level: "warn",
      request_id: "mine",
      operation: "list_api_apps",
      attempt: 1,
      class: "fault",
      reason: "fault",
      next_wait_ms: Number,
      logid: sandbox.calls[0]?.logid ?? "",
    },
  ]);
  t.equal(retries.length, 1);
});
