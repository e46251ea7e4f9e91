import { EventEmitter } from "node:events";
import { Socket } from "node:net";
import { pino } from "pino";
import t from "tap";
import { malformedHttp } from "../../src/http/malformed.ts";
import { head, post, start } from "./helper.ts";
import { exchange, open, until } from "./wire.ts";

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
    t.match(line, { error, code: /^HPE_/, request_id: reply.headers.get("x-request-id") });
  }
  t.same(sandbox.calls, []);
});

t.test("a request that is sent too slowly is cut off with 408, in its head and in its body", async (t) => {
  const { port, key, sandbox, requests } = await start(t, {
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
  t.match(requests(), [{ operation: "create_api_app", aborted: true }], "the one whose head was whole");
});

t.test("CONNECT is not answered: the connection is closed", async (t) => {
  const { port, key, sandbox } = await start(t);
  const { bytes } = await exchange(port, head(key, "CONNECT api.coze.cn:443"));
  t.equal(bytes, "");
  t.same(sandbox.calls, []);
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
  const written: string[] = [];
  const answer = malformedHttp(pino({}, { write: (line) => void written.push(line) }));
  const socket = new Socket({ writable: false });
  answer(Object.assign(new Error("parse error"), { code: "HPE_INVALID_METHOD" }), socket);
  t.equal(socket.destroyed, true);
  t.same(written, []);
});

t.test("an error without a code is malformed HTTP too", async (t) => {
  const sent: string[] = [];
  const socket = Object.assign(new EventEmitter(), {
    writable: true,
    end: (bytes: string) => sent.push(bytes),
  });
  malformedHttp(pino({ enabled: false }))(new Error("odd"), socket as unknown as Socket);
  t.match(sent, [/^HTTP\/1\.1 400 Bad Request\r\n/]);
});
