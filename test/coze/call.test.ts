import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import t from "tap";
import { Admission } from "../../src/coze/admission.ts";
import { Brake } from "../../src/coze/brake.ts";
import { CozeApi } from "../../src/coze/call.ts";
import { CozeClient } from "../../src/coze/exchange.ts";
import { Pacer } from "../../src/coze/pacer.ts";
import { RetryBudget } from "../../src/coze/retry-budget.ts";
import { CozeToken } from "../../src/coze/token/token.ts";
import { createApiApp } from "../../src/operations/create-api-app.ts";
import { Secret } from "../../src/secret.ts";
import { startGateway, startSandbox, type TestGateway } from "../helpers/gateway.ts";
import {
  bytes,
  envelope,
  inTurn,
  reset,
  silence,
  startMisbehavingServer,
  success,
  wireReply,
} from "../helpers/misbehaving-server.ts";
import { callBy, logged, methods, verdictOf } from "./helper.ts";

t.test("each retry has a line with its reason, the last line has every attempt", async (t) => {
  const coze = await startMisbehavingServer(
    t,
    inTurn(
      bytes(wireReply(503, envelope(5000), { "x-tt-logid": "first-try" })),
      reset,
      bytes(wireReply(200, envelope(0, {}), { "x-tt-logid": "third-try" })),
    ),
  );
  const gateway = await startGateway(t, coze.url);
  const reply = await callBy(gateway, "DELETE", { "x-request-id": "my-request" });
  t.equal(reply.status, 200);
  t.equal(reply.headers.get("x-tt-logid"), "third-try");
  const retries = logged(gateway, "retry");
  t.match(retries, [
    {
      level: "warn",
      request_id: "my-request",
      operation: "delete_api_app",
      reason: "fault",
      class: "fault",
      attempt: 1,
      status: 503,
      code: 5000,
      logid: "first-try",
      wait_ms: 0,
    },
    { level: "warn", reason: "lost", attempt: 2, evidence: /^stale: / },
  ]);
  t.equal(retries.length, 2);
  for (const { next_wait_ms: wait } of retries) t.ok(Number.isInteger(wait) && Number(wait) >= 0);
  const [line, ...others] = logged(gateway, "request");
  t.same(others, []);
  t.match(line, {
    level: "info",
    operation: "delete_api_app",
    status: 200,
    stopped: "done",
    logid: "third-try",
  });
  const attempts = line?.["attempts"] as Record<string, unknown>[];
  t.match(attempts, [
    { attempt: 1, class: "fault", status: 503, code: 5000, logid: "first-try", wait_ms: 0 },
    { attempt: 2, class: "lost", wait_ms: retries[0]?.["next_wait_ms"] },
    {
      attempt: 3,
      class: "ok",
      status: 200,
      code: 0,
      logid: "third-try",
      wait_ms: retries[1]?.["next_wait_ms"],
    },
  ]);
  t.equal(attempts.length, 3);
  for (const { ms } of attempts) t.ok(Number.isInteger(ms) && Number(ms) >= 0);
});

t.test("17: after a fault no later refusal proves that nothing happened", async (t) => {
  const coze = await startSandbox(t);
  const gateway = await startGateway(t, coze.url);
  const created = await callBy(gateway, "POST");
  coze.sandbox.faults.add({ method: "DELETE", status: 500, after_effect: true });
  const reply = await gateway.call("DELETE", `/v1/api_apps/${created.body.data.id}`);
  t.match(verdictOf(t, reply), { status: 404, error: "coze_not_found", attempts: 2, outcome: "unknown" });
  t.equal(coze.sandbox.state.apps.size, 0);
});

t.test("17: a create is not called failed after a 500", async (t) => {
  const coze = await startSandbox(t);
  const gateway = await startGateway(t, coze.url);
  coze.sandbox.faults.add({ method: "POST", status: 500, after_effect: true });
  const reply = await callBy(gateway, "POST");
  t.match(verdictOf(t, reply), { status: 502, attempts: 1, outcome: "unknown", stopped: "maybe_done" });
  t.equal(coze.sandbox.state.apps.size, 1);
});

t.test("the whole call ends by its time, though attempts are left", async (t) => {
  const coze = await startMisbehavingServer(t, silence);
  const gateway = await startGateway(t, coze.url, { REQUEST_TIMEOUT_MS: "400", ATTEMPT_TIMEOUT_MS: "400" });
  for (const method of methods) {
    const reply = await callBy(gateway, method);
    t.match(verdictOf(t, reply), { status: 504, error: "coze_timeout", attempts: 1 });
  }
  const shortened = await gateway.call("GET", "/v1/api_apps", undefined, { "x-gateway-timeout-ms": "150" });
  t.match(verdictOf(t, shortened), { status: 504, error: "coze_timeout", attempts: 1 });
  const attempts = logged(gateway, "request").at(-1)?.["attempts"] as { evidence: string }[];
  t.match(
    attempts[0]?.evidence,
    /^timeout: no whole reply within 1[0-5]\d ms$/,
    "less than the usual attempt",
  );
});

t.test(
  "with all connections taken calls wait in a bounded queue, and no longer than their time",
  async (t) => {
    const coze = await startMisbehavingServer(t, silence);
    const gateway = await startGateway(t, coze.url, { COZE_MAX_CONNECTIONS: "1", COZE_MAX_QUEUE: "1" });
    const first = callBy(gateway, "POST", { "x-gateway-timeout-ms": "4000" });
    while (coze.requests.length === 0) await sleep(5);
    const waiting = callBy(gateway, "POST", { "x-gateway-timeout-ms": "1500" });
    const depth = async () => (await gateway.gateway.admin.inject("/metrics")).body;
    while (!/queue[a-z_]* 1$/m.test(await depth())) await sleep(5);
    t.match(verdictOf(t, await callBy(gateway, "POST")), {
      status: 503,
      error: "overloaded",
      attempts: 0,
      outcome: "not_sent",
      stopped: "no_connection",
    });
    t.match(verdictOf(t, await waiting), {
      status: 504,
      error: "coze_timeout",
      attempts: 0,
      outcome: "not_sent",
      stopped: "no_time_left",
    });
    t.match(verdictOf(t, await first), { status: 504, outcome: "unknown" });
    t.equal(coze.requests.length, 1);
  },
);

/** The operators' metrics as text. */
async function metrics({ gateway }: TestGateway): Promise<string> {
  return (await gateway.admin.inject("/metrics")).body;
}

/** Sends a request and hangs up once `ready` says so. */
async function hangUp(port: number, head: string, ready: () => boolean | Promise<boolean>): Promise<void> {
  const socket = connect(port, "127.0.0.1");
  socket.write(head);
  while (!(await ready())) await sleep(5);
  socket.destroy();
}

const listRequest = (key: string) =>
  `GET /v1/api_apps HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${key}\r\n\r\n`;
const requestLines = (gateway: TestGateway) => logged(gateway, "request");

t.test("29: a read whose caller hangs up is given up, and its connection is free again", async (t) => {
  const coze = await startMisbehavingServer(t, silence);
  const gateway = await startGateway(t, coze.url, { COZE_MAX_CONNECTIONS: "1" });
  await hangUp(gateway.port, listRequest(gateway.key), () => coze.requests.length === 1);
  while (requestLines(gateway).length === 0) await sleep(5);
  t.match(requestLines(gateway), [
    { aborted: true, attempts: [{ evidence: "canceled: the caller is gone" }], stopped: "caller_gone" },
  ]);
  t.same(logged(gateway, "retry"), [], "no retry is told of that is not made");
  t.match(await metrics(gateway), /retry_budget[a-z_]* 20$/m, "or paid for");
  coze.answerWith(success);
  t.equal((await callBy(gateway, "GET")).status, 200);
});

t.test("29: one that waits for a connection leaves the queue", async (t) => {
  const coze = await startMisbehavingServer(t, silence);
  const gateway = await startGateway(t, coze.url, { COZE_MAX_CONNECTIONS: "1" });
  const first = callBy(gateway, "POST", { "x-gateway-timeout-ms": "2000" });
  while (coze.requests.length === 0) await sleep(5);
  await hangUp(gateway.port, listRequest(gateway.key), async () =>
    /queue[a-z_]* 1$/m.test(await metrics(gateway)),
  );
  while (requestLines(gateway).length === 0) await sleep(5);
  t.match(requestLines(gateway), [{ aborted: true, attempts: [], stopped: "caller_gone" }]);
  t.equal((await first).status, 504);
});

t.test("29: one that waits for the brake is given up", async (t) => {
  const coze = await startMisbehavingServer(t, bytes(wireReply(429, "", { "retry-after": "5" })));
  const gateway = await startGateway(t, coze.url);
  t.equal((await callBy(gateway, "GET", { "x-gateway-timeout-ms": "1000" })).status, 429);
  let polls = 0;
  await hangUp(gateway.port, listRequest(gateway.key), () => ++polls > 60);
  while (requestLines(gateway).length < 2) await sleep(5);
  t.match(requestLines(gateway)[1], { aborted: true, attempts: [], stopped: "caller_gone" });
});

t.test("29: a read given up in its last attempt is no failure of Coze", async (t) => {
  const coze = await startMisbehavingServer(t, silence);
  const gateway = await startGateway(t, coze.url, { MAX_ATTEMPTS: "1" });
  await hangUp(gateway.port, listRequest(gateway.key), () => coze.requests.length === 1);
  while (requestLines(gateway).length === 0) await sleep(5);
  t.match(requestLines(gateway), [
    { level: "info", aborted: true, stopped: "caller_gone", error: undefined },
  ]);
});

t.test("29: one that waits for its next attempt is given up", async (t) => {
  const coze = await startMisbehavingServer(t, bytes(wireReply(429, "", { "retry-after": "5" })));
  const gateway = await startGateway(t, coze.url);
  const throttled = async () =>
    /attempts_total\{[^}]*class="throttled"\} 1/.test((await gateway.gateway.admin.inject("/metrics")).body);
  await hangUp(gateway.port, listRequest(gateway.key), throttled);
  while (requestLines(gateway).length === 0) await sleep(5);
  t.match(requestLines(gateway), [
    { aborted: true, attempts: [{ class: "throttled" }], stopped: "caller_gone" },
  ]);
  t.same(logged(gateway, "retry"), [], "a retry that was not made is not told");
  t.match((await gateway.gateway.admin.inject("/metrics")).body, "retry_budget_tokens 20", "nor paid for");
  t.equal(coze.requests.length, 1);
});

t.test(
  "29: a change whose caller hangs up is finished, and so it is before the gateway closes",
  async (t) => {
    const coze = await startMisbehavingServer(
      t,
      (socket, request) => void setTimeout(success, 200, socket, request),
    );
    const gateway = await startGateway(t, coze.url);
    const head = `DELETE /v1/api_apps/7 HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${gateway.key}\r\n\r\n`;
    await hangUp(gateway.port, head, () => coze.requests.length === 1);
    await gateway.gateway.close();
    t.match(requestLines(gateway), [{ aborted: true, stopped: "done", attempts: [{ class: "ok" }] }]);
  },
);

t.test("a call whose time is over is not sent", async (t) => {
  const coze = await startMisbehavingServer(t, success);
  const client = new CozeClient({ origin: coze.url, connections: 1, connectTimeoutMs: 1000 });
  t.teardown(() => client.close());
  const caller = new CozeApi({
    client,
    token: await CozeToken.open({ value: new Secret("sat_0123456789") }),
    admission: new Admission({ slots: 1, mostWaiting: 1, pacer: new Pacer(new Brake()) }),
    budget: new RetryBudget(),
    maxAttempts: 3,
    attemptTimeoutMs: 1000,
    userAgent: "test",
    onAttempt: () => t.fail("an attempt"),
  });
  const late = {
    caller: "a",
    weight: 1,
    deadlineAt: performance.now() - 1,
    acceptLanguage: undefined,
    signal: undefined,
  };
  const input = { params: {}, query: {}, body: {} };
  t.match(await caller.call(createApiApp, input, { ...late, onRetry: () => t.fail("a retry") }), {
    error: "coze_timeout",
    last: undefined,
    attempts: [],
    stopped: "no_time_left",
    outcome: "not_sent",
  });
  t.equal(coze.connections(), 0);
});

t.test("without a token nothing is sent", async (t) => {
  const coze = await startMisbehavingServer(t, success);
  const gateway = await startGateway(t, coze.url, { COZE_TOKEN_FILE: "/nonexistent/token" });
  const reply = await callBy(gateway, "POST");
  t.match(reply, {
    status: 503,
    body: { gateway: { error: "token_unavailable", attempts: 0, outcome: "not_sent", stopped: "no_token" } },
  });
  t.equal(coze.connections(), 0);
});

t.test("what goes to Coze: its own headers, the body, and nothing else of the caller's", async (t) => {
  const coze = await startMisbehavingServer(t, success);
  const gateway = await startGateway(t, coze.url);
  await callBy(gateway, "POST", { cookie: "a=1", "x-forwarded-for": "1.2.3.4", "accept-language": "zh" });
  const [request] = coze.requests;
  t.same(Object.keys(request?.headers ?? {}).sort(), [
    "accept",
    "accept-encoding",
    "accept-language",
    "authorization",
    "connection",
    "content-length",
    "content-type",
    "host",
    "user-agent",
  ]);
  t.match(request?.headers, { "accept-encoding": "identity", "accept-language": "zh" });
  t.same(JSON.parse(request?.body ?? ""), { app_type: "normal", name: "one" });
});
