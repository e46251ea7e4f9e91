import t, { type Test } from "tap";
import { CozeClient, type CozeClientOptions, type ExchangeRequest } from "../../src/coze/exchange.ts";
import {
  bytes,
  envelope,
  silence,
  startMisbehavingServer,
  success,
  wireReply,
} from "../helpers/misbehaving-server.ts";

const list: ExchangeRequest = {
  method: "GET",
  target: "/v1/api_apps",
  headers: { authorization: "Bearer secret-secret" },
  body: undefined,
};
const long = 60_000;

function open(t: Test, origin: string, options: Partial<CozeClientOptions> = {}): CozeClient {
  const client = new CozeClient({ origin, connections: 1, connectTimeoutMs: long, ...options });
  t.teardown(() => client.close());
  return client;
}

t.test("a reply comes whole: status, headers and the bytes as they are", async (t) => {
  const body = '{ "code" : 0,  "msg":"\u00e9" }';
  const coze = await startMisbehavingServer(t, (socket) => {
    const whole = Buffer.from(wireReply(418, body, { "x-tt-logid": ["a", "b"] }));
    // In pieces, one of which ends within a character.
    for (const at of [0, 20, whole.length - 4]) {
      const end = at === 0 ? 20 : at === 20 ? whole.length - 4 : whole.length;
      setTimeout(() => socket.write(whole.subarray(at, end)), at);
    }
  });
  const exchange = await open(t, coze.url).exchange(list, long);
  t.match(exchange, { kind: "reply", status: 418, headers: { "x-tt-logid": ["a", "b"] } });
  t.equal(exchange.kind === "reply" && exchange.body.toString(), body);
});

t.test("a DELETE with a body leaves its connection open", async (t) => {
  const coze = await startMisbehavingServer(t, success);
  const client = open(t, coze.url);
  const request = { ...list, method: "DELETE", body: '{"event_types":["bot.published"]}' };
  for (let at = 0; at < 3; at += 1) t.match(await client.exchange(request, long), { status: 200 });
  t.equal(coze.connections(), 1);
  t.equal(coze.requests[0]?.body, request.body);
});

t.test("time runs while a request waits for the connection, and it is never sent afterwards", async (t) => {
  const coze = await startMisbehavingServer(t, silence);
  const client = open(t, coze.url);
  const first = client.exchange(list, 400);
  const second = await client.exchange({ ...list, target: "/second" }, 100);
  t.match(second, { kind: "failure", failure: "timeout", sent: false, detail: /within 100 ms/ });
  t.match(await first, { kind: "failure", failure: "timeout", sent: true });
  coze.answerWith(success);
  t.match(await client.exchange({ ...list, target: "/third" }, long), { kind: "reply" });
  t.same(
    coze.requests.map(({ target }) => target),
    ["/v1/api_apps", "/third"],
  );
});

t.test("a signal withdraws a request: before it starts, while it waits, and under way", async (t) => {
  const coze = await startMisbehavingServer(t, silence);
  const client = open(t, coze.url);
  t.match(await client.exchange(list, long, { signal: AbortSignal.abort() }), {
    failure: "canceled",
    sent: false,
  });
  const running = new AbortController();
  const first = client.exchange(list, long, { signal: running.signal });
  const queued = new AbortController();
  const second = client.exchange(list, long, { signal: queued.signal });
  queued.abort();
  t.match(await second, { failure: "canceled", sent: false });
  while (coze.requests.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  running.abort();
  t.match(await first, { failure: "canceled", sent: true });
  t.equal(coze.requests.length, 1);
});

t.test("a signal that fires after the reply changes nothing", async (t) => {
  const coze = await startMisbehavingServer(t, success);
  const late = new AbortController();
  const exchange = await open(t, coze.url).exchange(list, long, { signal: late.signal });
  late.abort();
  t.match(exchange, { kind: "reply", status: 200 });
});

t.test("a reply larger than allowed is cut off, one that just fits is not", async (t) => {
  const body = envelope(0, "x".repeat(1000));
  const coze = await startMisbehavingServer(t, bytes(wireReply(200, body)));
  t.match(await open(t, coze.url, { maxReplyBytes: body.length }).exchange(list, long), { kind: "reply" });
  t.match(await open(t, coze.url, { maxReplyBytes: body.length - 1 }).exchange(list, long), {
    kind: "failure",
    failure: "too_large",
    sent: true,
    detail: `the reply is larger than ${body.length - 1} bytes`,
  });
});

t.test("identity is an encoding that means none", async (t) => {
  const coze = await startMisbehavingServer(
    t,
    bytes(wireReply(200, envelope(0), { "content-encoding": "identity" })),
  );
  t.match(await open(t, coze.url).exchange(list, long), { kind: "reply", status: 200 });
});

t.test("a request that undici would not send was not sent, and the detail does not quote it", async (t) => {
  const coze = await startMisbehavingServer(t, success);
  const client = open(t, coze.url);
  const request = { ...list, headers: { authorization: "Bearer secret\r\nx: y" } };
  t.same(await client.exchange(request, long), {
    kind: "failure",
    failure: "connect",
    sent: false,
    detail: "UND_ERR_INVALID_ARG",
  });
  t.equal(coze.requests.length, 0);
});

t.test("after closing nothing is sent", async (t) => {
  const coze = await startMisbehavingServer(t, success);
  const client = open(t, coze.url);
  await client.close();
  t.match(await client.exchange(list, long), { kind: "failure", failure: "connect", sent: false });
});
