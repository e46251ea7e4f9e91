import { once } from "node:events";
import { connect, Socket } from "node:net";
import { PassThrough } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import Fastify from "fastify";
import { pino } from "pino";
import t from "tap";
import type { Gateway } from "../../src/gateway.ts";
import { addMalformed } from "../../src/http/malformed.ts";
import { bareMetrics, head, post, start } from "./helper.ts";
import { exchange, open, until } from "./wire.ts";

/** What `head` asks for, and a caller that keeps its connection does not. */
const closing = "Connection: close\r\n";

t.test("bytes that are no HTTP/1.1 are answered in the envelope and never reach Coze", async (t) => {
  const { port, key, sandbox, lines } = await start(t);
  const json = "Content-Type: application/json";
  const cases: readonly [what: string, bytes: string, status: number, error: string][] = [
    ["no HTTP", "hello\r\n\r\n", 400, "malformed_http"],
    ["TLS", "\x16\x03\x01\x00\xf8\x01\x00\x00\xf4\x03\x03", 400, "malformed_http"],
    ["HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, "malformed_http"],
    ["unknown method", head(key, "FROB /v1/api_apps"), 400, "malformed_http"],
    ["lower-case method", head(key, "get /v1/api_apps"), 400, "malformed_http"],
    ["unknown version", `GET /v1/api_apps HTTP/1.9\r\nHost: x\r\n\r\n`, 400, "malformed_http"],
    ["no slash", head(key, "GET v1/api_apps"), 400, "malformed_http"],
    ["blank in the target", head(key, "GET /v1/api_apps/a b"), 400, "malformed_http"],
    ["bytes over ASCII in the target", head(key, "GET /v1/api_apps/\xff"), 400, "malformed_http"],
    [
      "bare LF",
      `GET /v1/api_apps HTTP/1.1\nHost: x\nAuthorization: Bearer ${key}\n\n`,
      400,
      "malformed_http",
    ],
    ["NUL in a header", head(key, "GET /v1/api_apps", "X-Request-Id: a\0b"), 400, "malformed_http"],
    ["CR in a header", head(key, "GET /v1/api_apps", "X-Request-Id: a\rb"), 400, "malformed_http"],
    ["LF in a header", head(key, "GET /v1/api_apps", "X-Request-Id: a\nb: c"), 400, "malformed_http"],
    ["folded header", head(key, "GET /v1/api_apps", "X-Request-Id: a\r\n b"), 400, "malformed_http"],
    ["blank before the colon", head(key, "GET /v1/api_apps", "X-A : b"), 400, "malformed_http"],
    ["no colon", head(key, "GET /v1/api_apps", "Nonsense"), 400, "malformed_http"],
    [
      "length and chunks",
      post(key, "{}", "Transfer-Encoding: chunked").replace("{}", "0\r\n\r\n"),
      400,
      "malformed_http",
    ],
    ["two lengths", post(key, "{}", "Content-Length: 3"), 400, "malformed_http"],
    ["negative length", head(key, "POST /v1/api_apps", json, "Content-Length: -2"), 400, "malformed_http"],
    [
      "unknown coding",
      head(key, "POST /v1/api_apps", json, "Transfer-Encoding: gzip"),
      400,
      "malformed_http",
    ],
    [
      "bad chunk",
      `${head(key, "POST /v1/api_apps", json, "Transfer-Encoding: chunked")}zz\r\n{}\r\n0\r\n\r\n`,
      400,
      "malformed_http",
    ],
    [
      "endless chunk extension",
      `${head(key, "POST /v1/api_apps", json, "Transfer-Encoding: chunked")}2;${"a".repeat(20_000)}\r\n{}\r\n`,
      413,
      "payload_too_large",
    ],
    ["long header", head(key, "GET /v1/api_apps", `X: ${"a".repeat(20_000)}`), 431, "headers_too_large"],
    [
      "many headers",
      head(key, "GET /v1/api_apps", ...Array.from({ length: 2500 }, () => "X: a")),
      431,
      "headers_too_large",
    ],
    ["an id of 1 MB", head(key, `GET /v1/api_apps/${"a".repeat(2 ** 20)}/events`), 431, "headers_too_large"],
  ];
  for (const [what, bytes, status, error] of cases) {
    const before = lines().length;
    const reply = await exchange(port, bytes);
    t.equal(reply.status, status, `${what}: ${reply.bytes.slice(0, 200)}`);
    t.equal(reply.body.gateway.error, error, what);
    t.equal(reply.headers.get("connection"), "close", what);
    t.equal(reply.headers.get("content-length"), String(reply.text.length), what);
    await until(() =>
      lines()
        .slice(before)
        .some(({ event }) => event === "malformed"),
    );
    const [line, ...more] = lines()
      .slice(before)
      .filter(({ event }) => event === "malformed");
    t.same(more, [], what);
    t.match(line, {
      error,
      code: /^HPE_/,
      remote_address: "127.0.0.1",
      request_id: reply.headers.get("x-request-id"),
    });
  }
  t.same(sandbox.calls, []);
});

t.test("a request that is sent too slowly is cut off with 408, in its head and in its body", async (t) => {
  const { port, key, sandbox, requests, gateway } = await start(t, {
    REQUEST_TIMEOUT_MS: "200",
    ATTEMPT_TIMEOUT_MS: "100",
  });
  const whole = post(key, "{}");
  const replies = await Promise.all(
    [whole.slice(0, 40), whole.slice(0, -1)].map((part) => exchange(port, part)),
  );
  for (const { status, body } of replies) {
    t.equal(status, 408);
    t.equal(body.gateway.error, "request_timeout");
  }
  t.same(sandbox.calls, []);
  await until(() => requests().length === 1);
  const line = { operation: "create_api_app", aborted: true, status: 408, error: "request_timeout" };
  t.match(requests(), [line], "the one whose head was whole");
  const [, broken] = replies;
  t.match(broken?.body.gateway, { outcome: "not_sent", request_id: requests()[0]?.["request_id"] });
  t.match(requests()[0], { outcome: "not_sent" });
  t.notOk("outcome" in (replies[0]?.body.gateway ?? {}), "nobody knows what the other one asked for");
  const { body: metrics } = await gateway.admin.inject("/metrics");
  t.match(metrics, /requests_total\{operation="create_api_app",error="request_timeout"\} 1\n/);
  t.match(metrics, /requests_total\{operation="other",error="request_timeout"\} 1\n/);
});

/** The status lines among the bytes, in their order. */
function statuses(bytes: string): string[] {
  return bytes.match(/HTTP\/1\.1 \d{3}/g)?.map((line) => line.slice(9)) ?? [];
}

t.test("a request that was understood keeps its own reply, whatever bytes follow it", async (t) => {
  const { port, key, sandbox, call, lines, gateway } = await start(t);
  const { id } = (await call("POST", "/v1/api_apps", { app_type: "normal", name: "one" })).body.data;
  sandbox.faults.add({ delay_ms: 100 });
  const del = head(key, `DELETE /v1/api_apps/${id}`, "Content-Length: 0").replace(closing, "");
  const reply = await exchange(port, `${del}{}\r\n`);
  t.same(statuses(reply.bytes), ["200"], reply.bytes);
  t.equal(reply.headers.get("connection"), "close", "it is the last one");
  t.equal(sandbox.state.apps.has(id), false, "done, and told so");
  t.match(
    lines().filter(({ event }) => event === "malformed"),
    [{ error: "malformed_http", code: "HPE_INVALID_METHOD", remote_address: "127.0.0.1" }],
  );
  const { body } = await gateway.admin.inject("/metrics");
  t.notMatch(body, 'error="malformed_http"', "no request was answered so");
});

t.test("bytes after a reply whose head is out: it is sent whole, then the connection ends", async (t) => {
  const seen: string[] = [];
  const app = Fastify();
  t.teardown(() => app.close());
  addMalformed(app, pino({}, { write: (line) => void seen.push(line) }), bareMetrics());
  const body = new PassThrough();
  app.get("/", (_, reply) => reply.send(body));
  const { port } = new URL(await app.listen({ host: "127.0.0.1", port: 0 }));
  body.write("first, ");
  const socket = connect(Number(port), "127.0.0.1");
  socket.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  await once(socket, "readable");
  socket.write("stray");
  await until(() => seen.length > 0);
  body.end("last");
  const received = Buffer.concat(await socket.toArray()).toString("latin1");
  t.match(received, /^HTTP\/1\.1 200 [\s\S]*connection: keep-alive\r\n/i, "which was promised otherwise");
  t.match(received, /7\r\nfirst, \r\n4\r\nlast\r\n0\r\n\r\n$/);
});

t.test("who was refused before the body gets no second answer for it", async (t) => {
  const { port, requests, gateway } = await start(t, {
    REQUEST_TIMEOUT_MS: "200",
    ATTEMPT_TIMEOUT_MS: "100",
  });
  const slow = post("wrong", "{}").replace(closing, "").slice(0, -1);
  t.same(statuses((await exchange(port, slow)).bytes), ["401"]);
  t.match(requests(), [{ status: 401 }]);
  const { body } = await gateway.admin.inject("/metrics");
  t.notMatch(body, 'error="request_timeout"');
});

t.test("answers keep the order of the requests", async (t) => {
  const { port, key, sandbox, lines } = await start(t);
  const first = head(key, "GET /v1/api_apps").replace(closing, "");
  const second = (name: string) =>
    `${head(name, "POST /v1/api_apps", "Content-Type: application/json", "Transfer-Encoding: chunked")}zz\r\n`;
  for (const [what, bytes, expected] of [
    ["a broken body waits for the reply before it", second(key), ["200", "400"]],
    ["a refusal that waits in the queue is not doubled", second("wrong"), ["200", "401"]],
    ["what is no request at all gets none of its own", "nonsense\r\n\r\n", ["200"]],
    ["nor does CONNECT", head(key, "CONNECT api.coze.cn:443"), ["200"]],
  ] as const) {
    sandbox.faults.add({ delay_ms: 100 });
    t.same(statuses((await exchange(port, first + bytes)).bytes), expected, what);
  }
  t.equal(lines().filter(({ event }) => event === "malformed").length, 4);
});

t.test("a read whose body breaks while it is carried out is answered once", async (t) => {
  const { port, key, sandbox } = await start(t);
  sandbox.faults.add({ delay_ms: 50 });
  const bytes = `${head(key, "GET /v1/api_apps", "Transfer-Encoding: chunked")}zz\r\n`;
  t.same(statuses((await exchange(port, bytes)).bytes), ["400"]);
  await until(() => sandbox.calls.length === 1);
});

t.test("bytes that go on and on are told once", async (t) => {
  const { port, key, sandbox, lines } = await start(t);
  sandbox.faults.add({ delay_ms: 200 });
  const socket = await open(port, head(key, "GET /v1/api_apps").replace(closing, ""));
  for (const _ of "12345") {
    socket.write("stray\r\n\r\n");
    await sleep(10);
  }
  await once(socket, "close");
  t.equal(lines().filter(({ event }) => event === "malformed").length, 1);
});

t.test("what is answered here is counted", async (t) => {
  const { port, key, gateway } = await start(t);
  await exchange(port, "nonsense\r\n\r\n");
  await exchange(port, head(key, "GET /v1/api_apps", `X: ${"a".repeat(20_000)}`));
  await exchange(port, head(key, "CONNECT api.coze.cn:443"));
  const { body } = await gateway.admin.inject("/metrics");
  for (const error of ["malformed_http", "headers_too_large", "method_not_allowed"]) {
    t.match(body, `requests_total{operation="other",error="${error}"} 1\n`);
  }
});

async function nobodyConnected({ app }: Gateway): Promise<void> {
  const count = () => new Promise((resolve) => app.server.getConnections((_, found) => resolve(found)));
  while ((await count()) !== 0) await sleep(5);
}

t.test("CONNECT is a method that nothing here takes", async (t) => {
  const { port, key, sandbox, lines, gateway } = await start(t);
  const { status, body, headers } = await exchange(port, head(key, "CONNECT api.coze.cn:443"));
  t.equal(status, 405);
  t.equal(body.gateway.error, "method_not_allowed");
  t.equal(body.msg, "The gateway is no proxy: it does not take CONNECT.");
  t.equal(headers.get("allow"), "");
  await nobodyConnected(gateway);
  t.same(sandbox.calls, []);
  t.match(
    lines().filter(({ event }) => event === "malformed"),
    [{ error: "method_not_allowed", code: "CONNECT", remote_address: "127.0.0.1" }],
  );
});

t.test("who sends CONNECT and then goes on, neither reads nor closes, or resets, is let go", async (t) => {
  const { port, key, sandbox, gateway } = await start(t);
  const refused = async () => {
    const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
    t.teardown(() => socket.destroy());
    socket.on("error", () => undefined).resume();
    socket.write(head(key, "CONNECT api.coze.cn:443"));
    await once(socket, "end");
    return socket;
  };
  (await refused()).end("as if there were a tunnel");
  await nobodyConnected(gateway);
  gateway.app.server.timeout = 100;
  await refused();
  await nobodyConnected(gateway);
  gateway.app.server.timeout = 0;
  sandbox.faults.add({ delay_ms: 100 });
  const first = head(key, "GET /v1/api_apps").replace(closing, "");
  const socket = await open(port, first + head(key, "CONNECT api.coze.cn:443"));
  await until(() => sandbox.calls.length === 1);
  socket.resetAndDestroy();
  await nobodyConnected(gateway);
});

t.test("who resets the connection gets no answer and no line", async (t) => {
  const { port, lines } = await start(t);
  const before = lines().length;
  const socket = await open(port, "GET /v1/api");
  socket.resetAndDestroy();
  t.equal((await exchange(port, "nonsense\r\n\r\n")).status, 400, "others are served");
  t.equal(lines().length, before + 1);
});

t.test("a socket that cannot be written to is dropped", async (t) => {
  const { gateway, lines } = await start(t);
  const before = lines().length;
  const socket = new Socket({ writable: false });
  const error = Object.assign(new Error("parse error"), { code: "HPE_INVALID_METHOD" });
  gateway.app.server.emit("clientError", error, socket);
  t.equal(socket.destroyed, true);
  t.equal(lines().length, before);
});

t.test("an error without a code is malformed HTTP too", async (t) => {
  const { gateway } = await start(t);
  const sent: string[] = [];
  const socket = { writable: true, end: (bytes: string) => sent.push(bytes) };
  gateway.app.server.emit("clientError", new Error("odd"), socket as unknown as Socket);
  t.match(sent, [/^HTTP\/1\.1 400 Bad Request\r\n/]);
});
