import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import Fastify from "fastify";
import t from "tap";
import { mintKey } from "../../src/callers/key.ts";
import { addRequestLog } from "../../src/http/request-log.ts";
import { callersYaml, type Teardown } from "../helpers/gateway.ts";
import { appId, success } from "../operations/helper.ts";
import { bareMetrics, head, post, start } from "./helper.ts";
import { exchange, open, until } from "./wire.ts";

type Start = Awaited<ReturnType<typeof start>>;

/** Waits for the line of the one request made so far, and a little more for a second one that must not come. */
async function onlyLine({ requests }: Start): Promise<Record<string, unknown>> {
  await until(() => requests().length > 0);
  await sleep(50);
  const [line = {}, ...more] = requests();
  return more.length === 0 ? line : { more };
}

t.test("a forwarded call: one line with all there is to know", async (t) => {
  const gateway = await start(t);
  gateway.sandbox.faults.add({ status: 503 }, success);
  const path = `/v1/api_apps/${appId}?`;
  const { status } = await gateway.call("DELETE", path, undefined, { "x-request-id": "mine" });
  t.equal(status, 200);
  const line = await onlyLine(gateway);
  const logids = gateway.sandbox.calls.map(({ logid }) => logid);
  t.match(line, {
    level: "info",
    ts: /^\d{4}-\d\d-\d\dT[\d:.]+Z$/,
    request_id: "mine",
    remote_address: "127.0.0.1",
    caller: "tester",
    operation: "delete_api_app",
    api_app_id: appId,
    status: 200,
    duration_ms: Number,
    stopped: "done",
    logid: logids[1],
    attempts: [
      {
        attempt: 1,
        class: "fault",
        status: 503,
        evidence: "HTTP 503, no envelope",
        logid: logids[0],
        wait_ms: 0,
      },
      { attempt: 2, class: "ok", status: 200, code: 0, evidence: "code 0", logid: logids[1] },
    ],
    msg: "delete_api_app 200",
  });
  for (const name of ["error", "outcome", "aborted", "method", "route", "refusal"])
    t.notOk(name in line, name);
});

t.test("failures: the word, the outcome, and level error from 500 up", async (t) => {
  const gateway = await start(t, { MAX_ATTEMPTS: "1" });
  gateway.sandbox.faults.add({ status: 500 }, { code: 4200, msg: "gone" });
  await gateway.call("DELETE", `/v1/api_apps/${appId}`);
  await gateway.call("DELETE", `/v1/api_apps/${appId}`);
  await gateway.call("GET", "/nowhere");
  await gateway.call("GET", "/v1/api_apps", undefined, { authorization: "Bearer x" });
  await gateway.call("GET", "/docs/static/index.css");
  await until(() => gateway.requests().length === 5);
  t.match(gateway.requests(), [
    {
      level: "error",
      status: 502,
      error: "coze_unavailable",
      outcome: "unknown",
      stopped: "attempts_used_up",
    },
    { level: "info", status: 404, error: "coze_not_found", outcome: "refused", stopped: "refused" },
    { level: "info", status: 404, error: "not_found", method: "GET", msg: "GET 404" },
    { level: "info", status: 401, error: "unauthenticated", operation: "list_api_apps" },
    { level: "info", status: 200, method: "GET", route: /^\/docs\/static\// },
  ]);
  t.notOk("caller" in (gateway.requests()[3] ?? {}));
});

t.test("who was not let in: why, from where, and whose key it was when it had expired", async (t) => {
  const gateway = await start(t);
  const [late, nobody] = [mintKey("late"), mintKey("late")];
  const expired = { id: "late", key: late, expiresAt: "2020-01-01T00:00:00Z" };
  await writeFile(join(gateway.folder, "callers.yaml"), callersYaml([expired]));
  await until(() => gateway.lines().filter(({ event }) => event === "callers_loaded").length === 2);
  const path = "GET /v1/api_apps";
  for (const bytes of [
    head(late, path).replace(/Authorization: .*\r\n/, ""),
    head(late, path, `Authorization: Bearer ${late}`),
    head("", path),
    head(nobody, path),
    head(late, path),
  ]) {
    t.equal((await exchange(gateway.port, bytes)).status, 401);
  }
  await until(() => gateway.requests().length === 5);
  const remote_address = "127.0.0.1";
  t.match(gateway.requests(), [
    { refusal: "missing", remote_address },
    { refusal: "repeated", remote_address },
    { refusal: "malformed", remote_address },
    { refusal: "unknown", remote_address },
    { refusal: "expired", remote_address, caller: "late" },
  ]);
  t.equal(gateway.requests().filter((line) => "caller" in line).length, 1, "a name in a key proves nothing");
});

/** A server with the request log and nothing else. */
async function bare(t: Teardown) {
  const written: string[] = [];
  const app = Fastify({
    logger: { stream: { write: (line) => void written.push(line) } },
    disableRequestLogging: true,
  });
  t.teardown(() => app.close());
  app.decorateRequest("startedAt", 0);
  addRequestLog(app, bareMetrics());
  const requests = () => written.map((line) => JSON.parse(line)).filter(({ event }) => event === "request");
  return { app, requests };
}

t.test("an error while the reply is made ready does not give a second line", async (t) => {
  const { app, requests } = await bare(t);
  let failures = 1;
  app.addHook("onSend", async () => {
    failures -= 1;
    if (failures === 0) throw new Error("in a later hook");
  });
  app.get("/", async () => "fine");
  const url = await app.listen({ host: "127.0.0.1", port: 0 });
  t.equal((await fetch(url)).status, 500);
  await sleep(50);
  t.match(requests(), [{ status: 500, route: "/" }]);
  t.equal(requests().length, 1);
});

t.test("a caller that hangs up in the middle of a list: Coze's work is given up", async (t) => {
  const gateway = await start(t);
  gateway.sandbox.faults.add({ ...success, delay_ms: 60_000 });
  const socket = await open(gateway.port, head(gateway.key, "GET /v1/api_apps"));
  await until(() => gateway.sandbox.calls.length === 1);
  socket.destroy();
  t.match(await onlyLine(gateway), {
    operation: "list_api_apps",
    aborted: true,
    stopped: "caller_gone",
    attempts: [{ class: "lost", evidence: "canceled: the caller is gone" }],
  });
  t.equal(gateway.sandbox.calls.length, 1, "and not tried again");
});

t.test("a caller that hangs up in the middle of a delete: it is finished and told in the log", async (t) => {
  const gateway = await start(t);
  const { body } = await gateway.call("POST", "/v1/api_apps", { app_type: "normal", name: "one" });
  await until(() => gateway.requests().length === 1);
  gateway.sandbox.faults.add({ reset: "before_effect", delay_ms: 100 });
  const socket = await open(gateway.port, head(gateway.key, `DELETE /v1/api_apps/${body.data.id}`));
  await until(() => gateway.sandbox.calls.length === 2);
  socket.destroy();
  await until(() => gateway.requests().length === 2);
  await sleep(50);
  t.equal(gateway.sandbox.state.apps.size, 0, "the repeat went through as well");
  const [, line, ...more] = gateway.requests();
  t.same(more, []);
  t.match(line, {
    operation: "delete_api_app",
    api_app_id: body.data.id,
    aborted: true,
    status: 200,
    stopped: "done",
    attempts: [{ class: "lost" }, { class: "ok" }],
  });
});

t.test("a caller that hangs up in the middle of its body: Coze sees nothing", async (t) => {
  const gateway = await start(t);
  const whole = post(gateway.key, '{"app_type":"normal","name":"one"}');
  const socket = await open(gateway.port, whole.slice(0, -5));
  await sleep(50);
  socket.destroy();
  t.match(await onlyLine(gateway), {
    operation: "create_api_app",
    caller: "tester",
    aborted: true,
    remote_address: "127.0.0.1",
  });
  t.same(gateway.sandbox.calls, []);
});

t.test("a caller that hangs up while the reply is written", async (t) => {
  const { app, requests } = await bare(t);
  // More than the sockets' buffers take, so that it cannot be sent to a caller that does not read.
  app.get("/", async () => "x".repeat(32 * 2 ** 20));
  const { port } = new URL(await app.listen({ host: "127.0.0.1", port: 0 }));
  const socket = await open(Number(port), head("", "GET /"));
  socket.pause();
  await sleep(300);
  t.same(requests(), [], "not finished yet");
  socket.resetAndDestroy();
  await until(() => requests().length > 0);
  await sleep(50);
  t.match(requests(), [{ route: "/", aborted: true, status: 200 }]);
  t.equal(requests().length, 1);
});

t.test("one line each for many requests, pipelined and side by side", async (t) => {
  const { port, key, requests, sandbox } = await start(t);
  sandbox.faults.add({ ...success, times: 200 });
  const one = head(key, "GET /v1/api_apps").replace("Connection: close\r\n", "");
  const last = head(key, "GET /nowhere");
  await Promise.all(Array.from({ length: 10 }, () => exchange(port, one.repeat(20) + last)));
  await until(() => requests().length === 210);
  t.equal(new Set(requests().map(({ request_id }) => request_id)).size, 210);
});

t.test("hostile texts cannot forge, split or colour a line", async (t) => {
  const { port, key, lines, text } = await start(t);
  const hostile = [
    '","level":"fatal","event":"forged',
    "\r\nforged",
    "\nforged",
    "\x1b[31mforged",
    "\u2028forged",
    "\u202eforged",
    "%0d%0aforged",
    "%E2%80%A8forged",
    "%22forged",
  ].map((each) => Buffer.from(each).toString("latin1"));
  for (const each of hostile) {
    for (const bytes of [
      head(key, "GET /v1/api_apps", `X-Request-Id: ${each}`),
      head(key, `GET /v1/api_apps/${each}/events`),
      head(key, `GET /v1/api_apps/${encodeURIComponent(each)}/events`),
      head(key, `GET /v1/api_apps?page_token=${encodeURIComponent(each)}`),
      head(key, `GET /v1/api_apps?${encodeURIComponent(each)}=1`),
      head(key, `GET /${each}`),
      head(key, "GET /v1/api_apps", `User-Agent: ${each}`, `Accept-Language: ${each}`),
      head(each, "GET /v1/api_apps"),
      post(key, `{"app_type":"normal","name":"${each}"}`),
      post(key, JSON.stringify({ app_type: "normal", name: each, [each]: each })),
    ]) {
      await exchange(port, bytes);
    }
  }
  t.ok(lines().length >= hostile.length * 9, "every line is one JSON object");
  t.notMatch(text(), "forged");
  t.ok([...text()].every((each) => each === "\n" || (each >= " " && each <= "~")));
  t.same([...new Set(lines().map(({ level }) => level))].sort(), ["info"]);
});
