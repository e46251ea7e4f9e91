import { execFile } from "node:child_process";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import Fastify from "fastify";
import { pino } from "pino";
import t from "tap";
import type { AuditTrail, Begun, Conclusion, Subject } from "../../src/audit/trail.ts";
import { rulesFor } from "../../src/callers/grants.ts";
import { mintKey } from "../../src/callers/key.ts";
import { idle } from "../../src/commands/openapi.ts";
import { loadConfig } from "../../src/config/config.ts";
import { Admission } from "../../src/coze/admission.ts";
import { CozeToken } from "../../src/coze/token/token.ts";
import { GatewayError } from "../../src/errors.ts";
import { addContext } from "../../src/http/context.ts";
import { errorHandler } from "../../src/http/error-reply.ts";
import { forward } from "../../src/http/forward.ts";
import { deleteApiApp } from "../../src/operations/delete-api-app.ts";
import { listApiApps } from "../../src/operations/list-api-apps.ts";
import { buildSandbox } from "../../src/sandbox/coze.ts";
import { Secret } from "../../src/secret.ts";
import { wire } from "../../src/wire.ts";
import { callerWith } from "../callers/callers.ts";
import { eventually } from "../config/eventually.ts";
import {
  callersYaml,
  call as callOnce,
  startGateway,
  startSandbox,
  type TestGateway,
  token,
} from "../helpers/gateway.ts";
import { appId, success } from "../operations/helper.ts";
import { head, lockStore, recordsOf, start } from "./helper.ts";
import { exchange, until } from "./wire.ts";

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

t.test("a change is recorded before and after, a read after", async (t) => {
  const { call, records } = await start(t);
  const created = await call("POST", "/v1/api_apps", { app_type: "normal", name: "CANARY" });
  await call("GET", "/v1/api_apps");
  await call("DELETE", `/v1/api_apps/${appId}`);
  const logid = created.body.detail.logid;
  const [attempt, outcome, read, secondAttempt, refused, ...more] = records();
  t.match(attempt, { kind: "attempt", operation: "create_api_app", fields: ["app_type", "name"] });
  t.notOk(attempt?.api_app_id);
  t.match(outcome, {
    kind: "outcome",
    closes: { seq: attempt?.seq },
    outcome: "done",
    status: 200,
    api_app_id: created.body.data.id,
    attempts: [{ attempt: 1, class: "ok", status: 200, code: 0, logid }],
  });
  t.match(read, { kind: "outcome", operation: "list_api_apps", outcome: "done" });
  t.notOk(read?.closes);
  t.match(secondAttempt, { kind: "attempt", operation: "delete_api_app", api_app_id: appId });
  t.match(refused, { outcome: "refused", status: 404, error: "coze_not_found", attempts: [{ code: 4200 }] });
  t.strictSame(more, []);
  t.notMatch(JSON.stringify(records()), "CANARY");
});

t.test("of a created app only an id that is a string is recorded", async (t) => {
  const { call, sandbox, records } = await start(t);
  for (const id of ["7512345678901234567", '"7512345678901234567"']) {
    sandbox.faults.add({ body: `{"code":0,"data":{"id":${id}}}` });
    await call("POST", "/v1/api_apps", { app_type: "normal", name: "one" });
  }
  const outcomes = records().filter(({ kind }) => kind === "outcome");
  t.strictSame(
    outcomes.map(({ api_app_id }) => api_app_id),
    [undefined, "7512345678901234567"],
  );
});

t.test("a route without a guard answers 500 and sends nothing to Coze", async (t) => {
  const { url, sandbox } = await startSandbox(t);
  const config = loadConfig({ COZE_BASE_URL: url, COZE_TOKEN: token, CALLERS_FILE: "none" });
  const cozeToken = await CozeToken.open({ value: new Secret(token) });
  const { parts, closeParts } = wire(config, { ...idle, token: cozeToken, log: pino({ enabled: false }) });
  const written: string[] = [];
  const app = Fastify({ logger: { stream: { write: (line) => void written.push(line) } } });
  t.teardown(async () => {
    await app.close();
    await closeParts();
  });
  addContext(app);
  app.setErrorHandler(errorHandler(parts.trail, () => undefined));
  const { coze, trail } = parts;
  const handler = forward(deleteApiApp, {
    ...{ coze, trail, gate: parts.gate, origin: url },
    requestTimeoutMs: 1000,
  });
  app.route({ method: "DELETE", url: deleteApiApp.path, config: { operation: deleteApiApp }, handler });
  const origin = await app.listen({ host: "127.0.0.1", port: 0 });
  const { status, body } = await callOnce(`${origin}/v1/api_apps/${appId}`, "DELETE", {});
  t.equal(status, 500);
  t.match(body.gateway, { error: "internal", outcome: "unknown" });
  t.match(written.join(""), '"err":{"type":"GatewayError"', "by its own decision");
  t.same(sandbox.calls, []);
});

t.test("a change whose attempt cannot be recorded is not sent", async (t) => {
  const gateway = await start(t, { AUDIT_TIMEOUT_MS: "1000" });
  const { call, sandbox, records } = gateway;
  const unlock = lockStore(gateway);
  const { status, body, headers } = await call("DELETE", `/v1/api_apps/${appId}`);
  t.equal(status, 503);
  t.match(body.gateway, { error: "audit_unavailable", outcome: "not_sent", attempts: 0 });
  t.equal(headers.get("retry-after"), "2");
  t.same(sandbox.calls, []);
  t.match((await call("GET", "/readyz")).body, { checks: { audit: false } });
  t.equal((await call("GET", "/v1/api_apps")).status, 503, "a read is refused as well, at once");
  unlock();
  await until(() => records().length === 2);
  t.match(records(), [
    { kind: "attempt" },
    { kind: "outcome", outcome: "not_sent", error: "audit_unavailable" },
  ]);
  t.equal((await call("GET", "/readyz")).status, 200, "and again without a restart");
  t.equal((await call("DELETE", `/v1/api_apps/${appId}`)).status, 404);
  t.equal(sandbox.calls.length, 1);
});

t.test("what Coze says of a change is withheld while it cannot be recorded", async (t) => {
  const gateway = await start(t, { AUDIT_TIMEOUT_MS: "1000" });
  const { call, sandbox, records } = gateway;
  sandbox.faults.add({ body: '{"code":0,"data":{"id":"75","verify_token":"CANARY"}}', delay_ms: 1000 });
  const calling = call("POST", "/v1/api_apps", { app_type: "normal", name: "one" });
  await until(() => sandbox.calls.length === 1);
  const unlock = lockStore(gateway);
  const { status, text, body, headers } = await calling;
  t.equal(status, 500);
  t.equal(body.code, 500002);
  t.match(body.gateway, { error: "audit_incomplete", outcome: "unknown", attempts: 1 });
  t.notOk("stopped" in body.gateway, "that would tell");
  t.equal(body.detail.logid, sandbox.calls[0]?.logid);
  t.equal(headers.get("x-tt-logid"), sandbox.calls[0]?.logid);
  t.equal(headers.get("x-gateway-attempts"), "1");
  t.notMatch(text, "CANARY");
  t.equal(records().length, 1, "the attempt");
  unlock();
  await until(() => records().length === 2);
  t.match(
    records()[1],
    { kind: "outcome", outcome: "done", api_app_id: "75" },
    "kept, and stored in the end",
  );
});

t.test("so is what it says of a read", async (t) => {
  const gateway = await start(t, { AUDIT_TIMEOUT_MS: "1000" });
  const { call, sandbox, records } = gateway;
  sandbox.faults.add(
    { body: '{"code":0,"data":{"items":[{"verify_token":"CANARY"}]}}' },
    { html: true, times: 9 },
  );
  const unlock = lockStore(gateway);
  const { status, text, body } = await call("GET", "/v1/api_apps");
  t.equal(status, 500);
  t.match(body.gateway, { error: "audit_incomplete", attempts: 1 });
  t.notOk("outcome" in body.gateway, "a read changes nothing");
  t.notMatch(text, "CANARY");
  unlock();
  await until(() => records().length === 1);
  t.match(records(), [{ kind: "outcome", outcome: "done" }]);
});

t.test("a failure without a logid is withheld as well", async (t) => {
  const gateway = await start(t, { AUDIT_TIMEOUT_MS: "1000", MAX_ATTEMPTS: "1" });
  gateway.sandbox.faults.add({ html: true });
  const unlock = lockStore(gateway);
  const { body, headers } = await gateway.call("GET", "/v1/api_apps");
  unlock();
  t.match(body, {
    detail: { logid: "" },
    gateway: { error: "audit_incomplete" },
  });
  t.equal(headers.has("x-tt-logid"), false);
});

t.test("an app whose id cannot be read has no owner, and that is an error in the log", async (t) => {
  const gateway = await start(t);
  gateway.sandbox.faults.add({
    body: '{"code":0,"msg":"","data":{"id":7512345678901234567,"verify_token":"s"}}',
  });
  const { status, body } = await gateway.call("POST", "/v1/api_apps", { app_type: "normal", name: "x" });
  t.equal(status, 200);
  t.equal(body.data.verify_token, "s", "the tester may see it");
  t.equal(gateway.lines().filter(({ event }) => event === "owner_unknown").length, 1);
  t.equal(gateway.records().at(-1)?.owner, undefined);
});

t.test(
  "a success that cannot be read well enough to be shown is withheld, and is recorded as done",
  async (t) => {
    const key = mintKey("orders");
    const { url, sandbox } = await startSandbox(t);
    const grants = [{ permissions: ["createApiApp", "listApiApp"], api_app_ids: "own" as const }];
    const gateway = await startGateway(t, url, {}, [{ id: "orders", key, grants }]);
    const authorization = `Bearer ${key}`;
    const deep = `{"code":0,"msg":"","data":{"id":"7512345678901234567","verify_token":${"[".repeat(200)}${"]".repeat(200)}}}`;
    sandbox.faults.add({ body: deep });
    const made = { app_type: "normal", name: "x" };
    const created = await callOnce(`${gateway.url}/v1/api_apps`, "POST", { authorization }, made);
    t.match(created, {
      status: 502,
      body: { gateway: { error: "coze_malformed", outcome: "unknown", attempts: 1 } },
    });
    t.match(recordsOf(gateway).at(-1), { outcome: "done", status: 502, owner: "orders" });
    sandbox.faults.add({ body: '{"code":0,"msg":"","data":{"items":{}}}' });
    const list = await callOnce(`${gateway.url}/v1/api_apps`, "GET", { authorization });
    t.match(list, { status: 502, body: { gateway: { error: "coze_malformed" } } });
    t.match(recordsOf(gateway).at(-1), { outcome: "failed", status: 502 });
  },
);

t.test("a list whose owners cannot be read is an error, whatever went wrong", async (t) => {
  const { url, sandbox } = await startSandbox(t);
  sandbox.state.create({ appType: "normal", connectorId: undefined, name: "x" });
  const cozeToken = await CozeToken.open({ value: new Secret(token) });
  const config = loadConfig({ COZE_BASE_URL: url, COZE_TOKEN: token, CALLERS_FILE: "none" });
  const { parts, closeParts } = wire(config, { ...idle, token: cozeToken, log: pino({ enabled: false }) });
  t.teardown(closeParts);
  const grants = [{ permissions: ["listApiApp"], api_app_ids: "own" }];
  const caller = callerWith(...grants);
  const concluded: Conclusion[] = [];
  const trail = {
    begin: async (subject: Subject) => ({ subject }),
    conclude: async (_: Begun, conclusion: Conclusion) => concluded.push(conclusion) > 0,
  } as unknown as AuditTrail;
  for (const [cause, status] of [
    [new GatewayError("audit_unavailable"), 503],
    [new TypeError("a bug"), 500],
  ] as const) {
    const app = Fastify();
    t.teardown(() => app.close());
    addContext(app);
    app.setErrorHandler(errorHandler({ refuse: async () => undefined }, () => undefined));
    app.addHook("onRequest", async (request) => {
      request.credential = {
        caller,
        kind: "key",
        id: "0123456789abcdef",
        expiresAt: Number.POSITIVE_INFINITY,
      };
      request.rules = rulesFor(caller, listApiApps);
      request.policyVersion = parts.gate.policy().version;
    });
    const handler = forward(listApiApps, {
      ...{ coze: parts.coze, trail, origin: url, requestTimeoutMs: 10_000 },
      gate: { ...parts.gate, ownersOf: () => Promise.reject(cause) },
    });
    app.route({ method: "GET", url: listApiApps.path, config: { operation: listApiApps }, handler });
    const origin = await app.listen({ host: "127.0.0.1", port: 0 });
    const reply = await callOnce(`${origin}${listApiApps.path}`, "GET", {});
    t.equal(reply.status, status, reply.text);
    t.notMatch(reply.text, "verify_token");
  }
  t.match(concluded, [{ outcome: "failed", status: 503, error: "audit_unavailable" }]);
});

t.test("a call is queued under its caller's name and weight", async (t) => {
  const { url } = await startSandbox(t);
  const key = mintKey("heavy");
  const gateway = await startGateway(t, url, {}, [{ id: "heavy", key, weight: 7 }]);
  const seen: unknown[] = [];
  const { enter } = Admission.prototype;
  t.teardown(() => {
    Admission.prototype.enter = enter;
  });
  Admission.prototype.enter = function (applicant) {
    seen.push([applicant.caller, applicant.weight]);
    return enter.call(this, applicant);
  };
  await callOnce(`${gateway.url}/v1/api_apps`, "GET", { authorization: `Bearer ${key}` });
  t.strictSame(seen, [["heavy", 7]]);
});

/** Sends the head of a change at once and its body when told to; gives the status. */
function slowly(gateway: TestGateway, key: string, line: string, body: string) {
  const socket = connect(gateway.port, "127.0.0.1");
  const length = `Content-Length: ${body.length}`;
  socket.write(head(key, line, "Content-Type: application/json", length));
  let received = "";
  socket.on("data", (chunk) => {
    received += chunk;
  });
  return async () => {
    socket.write(body);
    await once(socket, "close");
    return Number(received.slice(9, 12));
  };
}

t.test(
  "a key that is revoked, or an app that is moved, while a body arrives is not used any more",
  async (t) => {
    const { url, sandbox } = await startSandbox(t);
    const [orders, billing] = [mintKey("orders"), mintKey("billing")];
    const grants = [{ permissions: ["createApiApp", "updateApiApp"], api_app_ids: "own" as const }];
    const callers = [
      { id: "orders", key: orders, grants },
      { id: "billing", key: billing, grants },
    ];
    const gateway = await startGateway(t, url, {}, callers);
    const created = await callOnce(
      `${gateway.url}/v1/api_apps`,
      "POST",
      { authorization: `Bearer ${orders}` },
      { app_type: "normal", name: "of orders" },
    );
    const { id } = created.body.data;
    const rename = (name: string, key = orders) =>
      slowly(gateway, key, `PUT /v1/api_apps/${id}`, JSON.stringify({ name }));

    const patient = rename("in time");
    await sleep(1_100);
    t.equal(await patient(), 200, "nothing has changed meanwhile");
    const moved = rename("after the move");
    const main = fileURLToPath(new URL("../../src/main.ts", import.meta.url));
    const move = ["owners", "move", "--api-app-id", id, "--from", "orders", "--to", "billing"];
    const env = { ...process.env, AUDIT_STORE: `sqlite:${gateway.folder}/audit.db` };
    await promisify(execFile)(process.execPath, [main, ...move], { env });
    // What was decided more than a second ago is decided anew.
    await sleep(1_100);
    t.equal(await moved(), 403);
    const revoked = rename("after the revocation", billing);
    await writeFile(
      join(gateway.folder, "callers.yaml"),
      callersYaml([{ id: "orders", key: orders, grants }]),
    );
    await eventually(
      "the new file",
      () => gateway.lines().filter(({ event }) => event === "callers_loaded").length === 2,
    );
    t.equal(await revoked(), 401);
    t.equal(sandbox.state.apps.get(id)?.name, "in time");
  },
);
