import { once } from "node:events";
import { connect } from "node:net";
import Fastify from "fastify";
import t from "tap";
import type { Fault } from "../../src/sandbox/fault.ts";
import { performFault } from "../../src/sandbox/perform-fault.ts";
import { exchange, listen, listRequest, startSandbox } from "./helper.ts";

const apps = "/v1/api_apps";
const normal = { app_type: "normal", name: "one" };

const answers: readonly (readonly [Fault, { status: number; text?: string; json?: unknown }])[] = [
  [{ status: 500 }, { status: 500, text: "" }],
  [
    { status: 200, body: "" },
    { status: 200, text: "" },
  ],
  [{ body: '{"code":' }, { status: 200, text: '{"code":' }],
  [{ code: 4009 }, { status: 200, json: { code: 4009, msg: "fault on demand" } }],
  [
    { code: "720702204", status: 400 },
    { status: 400, json: { code: "720702204" } },
  ],
  [{ code: 4000 }, { status: 400, json: { code: 4000 } }],
  [
    { msg: "busy", status: 503 },
    { status: 503, json: { code: 5000, msg: "busy" } },
  ],
  [
    { code: 4009, body: "x" },
    { status: 200, text: "x" },
  ],
];
for (const [fault, seen] of answers) {
  t.test(`${JSON.stringify(fault)} answers in place of the operation`, async (t) => {
    const { call, faults, state } = await startSandbox(t);
    faults.add(fault);
    const reply = await call("POST", apps, normal);
    t.match(reply, seen);
    const logid = reply.headers.get("x-tt-logid");
    t.match(logid, /^\d{14}[0-9A-F]{20}$/);
    if (seen.json !== undefined) t.match(reply.json, { detail: { logid } });
    t.equal(state.apps.size, 0);
    t.match(await call("POST", apps, normal), { json: { code: 0 } });
  });
}

t.test("after_effect performs the operation first", async (t) => {
  const { call, faults, state } = await startSandbox(t);
  faults.add({ status: 500, after_effect: true });
  t.equal((await call("POST", apps, normal)).status, 500);
  t.equal(state.apps.size, 1);
});

t.test("html is a CDN's page without a logid", async (t) => {
  const { call, faults } = await startSandbox(t);
  faults.add({ html: true }, { html: true, status: 502 });
  for (const status of [504, 502]) {
    const reply = await call("GET", apps);
    t.match(reply, { status, text: new RegExp(`^<html>.*${status}.*</html>$`) });
    t.equal(reply.headers.get("content-type"), "text/html");
    t.notOk(reply.headers.has("x-tt-logid"));
  }
});

t.test("headers and content type replace the reply's own, which is otherwise real", async (t) => {
  const { port, faults, state } = await startSandbox(t);
  faults.add({
    headers: { "x-tt-logid": ["a", "b"], "Retry-After": "7", connection: "close" },
    content_type: "text/html",
  });
  const { text } = await exchange(port, listRequest);
  const [head = "", body = ""] = text.split("\r\n\r\n");
  const lines = head.split("\r\n").map((line) => line.toLowerCase());
  t.equal(lines[0], "http/1.1 200 ok");
  t.same(
    lines.filter((line) => /^(x-tt-logid|retry-after|content-type)/.test(line)),
    ["content-type: text/html", "x-tt-logid: a", "x-tt-logid: b", "retry-after: 7"],
  );
  t.match(JSON.parse(body), { code: 0, data: { items: [] } });
  t.equal(state.apps.size, 0);
});

t.test("reset before and after the effect", async (t) => {
  const { port, faults, state } = await startSandbox(t);
  const body = JSON.stringify(normal);
  const create =
    "POST /v1/api_apps HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer sat_all\r\nContent-Type: application/json\r\n" +
    `Content-Length: ${body.length}\r\n\r\n${body}`;
  faults.add({ reset: "before_effect" }, { reset: "after_effect" });
  t.same(await exchange(port, create), { text: "", error: "ECONNRESET" });
  t.equal(state.apps.size, 0);
  t.same(await exchange(port, create), { text: "", error: "ECONNRESET" });
  t.equal(state.apps.size, 1);
});

for (const bytes of [0, 10]) {
  t.test(`truncate promises the whole body and sends ${bytes} bytes`, async (t) => {
    const { port, faults } = await startSandbox(t);
    faults.add({ truncate: bytes });
    const { text, error } = await exchange(port, listRequest);
    t.equal(error, undefined);
    const [head, body] = text.split("\r\n\r\n");
    t.ok(Number(/content-length: (\d+)/i.exec(head ?? "")?.[1]) > 100);
    t.equal(body, '{"code":0,'.slice(0, bytes));
  });
}

t.test("raw is the whole reply as it stands", async (t) => {
  const { port, faults } = await startSandbox(t);
  const raw =
    "HTTP/1.1 103 Early Hints\r\nX: \xe9\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx";
  faults.add({ raw });
  t.same(await exchange(port, listRequest), { text: raw });
});

t.test("delay_ms waits and then gives the real reply", async (t) => {
  const { call, faults, state } = await startSandbox(t);
  faults.add({ delay_ms: 10 });
  t.match(await call("POST", apps, normal), { status: 200, json: { code: 0 } });
  t.equal(state.apps.size, 1);
});

t.test("drip_ms sends the body byte by byte until it is whole", async (t) => {
  const { call, faults } = await startSandbox(t);
  faults.add({ drip_ms: 1 });
  t.match(await call("GET", apps), { status: 200, json: { code: 0, data: { items: [] } } });
});

t.test("close() does not wait for a hung or a dripping connection", async (t) => {
  const { app, port, faults, calls } = await startSandbox(t);
  faults.add({ drip_ms: 3_600_000 }, { delay_ms: 3_600_000 });
  const dripping = exchange(port, listRequest);
  while (calls.length < 1) await new Promise(setImmediate);
  const hung = exchange(port, listRequest);
  while (calls.length < 2) await new Promise(setImmediate);
  await app.close();
  t.ok(((await dripping).text.split("\r\n\r\n")[1] ?? "").length <= 1);
  t.equal((await hung).text, "");
});

for (const fault of [{ drip_ms: 1 }, { delay_ms: 1 }, { delay_ms: 1, reset: "after_effect" }] as const) {
  t.test(`${JSON.stringify(fault)} ends quietly when the caller hangs up`, async (t) => {
    const app = Fastify({ forceCloseConnections: true });
    const { promise: ended, resolve } = Promise.withResolvers<void>();
    app.get("/", (_, reply) => {
      const operate = async () => {
        if (!("drip_ms" in fault)) await once(reply.raw, "close");
        return { status: 200, headers: {}, body: "x".repeat(1_000_000) };
      };
      resolve(performFault(fault, reply, operate));
    });
    const socket = connect(Number(new URL(await listen(t, app)).port), "127.0.0.1");
    socket.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    await once(app.server, "request");
    socket.destroy();
    await t.resolves(ended);
  });
}
