import { once } from "node:events";
import { Agent, request } from "node:http";
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import t from "tap";
import { mintKey } from "../src/callers/key.ts";
import { type GatewayErrorName, gatewayErrors } from "../src/errors.ts";
import { buildSandbox } from "../src/sandbox/coze.ts";
import type { Fault } from "../src/sandbox/fault.ts";
import { call, startGateway, startSandbox, type Teardown, type TestReply, token } from "./helpers/gateway.ts";
import { lockStore } from "./http/helper.ts";
import { exchange, until } from "./http/wire.ts";

t.test("a life of a callback app through the gateway", async (t) => {
  const coze = await startSandbox(t);
  const { call } = await startGateway(t, coze.url);
  const created = await call("POST", "/v1/api_apps", { app_type: "normal", name: "one" });
  t.equal(created.status, 200);
  const id = created.body.data.id;
  t.match(id, /^\d{19}$/);
  t.equal(
    (await call("PUT", `/v1/api_apps/${id}`, { callback_url: `${coze.url}/_sandbox/callback` })).status,
    200,
  );
  t.equal((await call("POST", `/v1/api_apps/${id}/events`, { event_types: ["bot.published"] })).status, 200);
  const events = await call("GET", `/v1/api_apps/${id}/events`);
  t.same(
    events.body.data.items.map(({ event_type }) => event_type),
    ["bot.published"],
  );
  t.equal(
    (await call("DELETE", `/v1/api_apps/${id}/events`, { event_types: ["bot.published"] })).status,
    200,
  );
  t.equal((await call("DELETE", `/v1/api_apps/${id}`)).status, 200);
  const list = await call("GET", "/v1/api_apps");
  t.same(list.body.data.items, []);
});

/** For each word of the error table a situation in which a caller meets it; `internal` is for what nobody foresaw. */
const situations: Readonly<Record<Exclude<GatewayErrorName, "internal">, (stand: Stand) => Promise<Met>>> = {
  invalid_request: ({ call }) => call("POST", "/v1/api_apps", {}),
  malformed_http: ({ port }) => exchange(port, "hello\r\n\r\n"),
  coze_invalid_request: (stand) => withFault(stand, { code: 4000 }),
  unauthenticated: ({ call }) => call("GET", "/v1/api_apps", undefined, { authorization: "Bearer x" }),
  forbidden: ({ call, idle }) => call("GET", "/v1/api_apps", undefined, { authorization: `Bearer ${idle}` }),
  not_found: ({ call }) => call("GET", "/v1/bots"),
  coze_not_found: (stand) => withFault(stand, { code: 4200 }),
  method_not_allowed: ({ call }) => call("PATCH", "/v1/api_apps"),
  request_timeout: ({ port }) => exchange(port, "GET /v1/api_apps HTTP/1.1\r\nHost: x\r\n"),
  coze_conflict: (stand) => withFault(stand, { code: 4016 }),
  payload_too_large: ({ call }) => call("POST", "/v1/api_apps", { name: "x".repeat(70_000) }),
  uri_too_long: ({ call }) => call("GET", `/v1/api_apps?page_token=${"x".repeat(5000)}`),
  unsupported_media_type: ({ call }) => call("POST", "/v1/api_apps", "{}", { "content-type": "text/plain" }),
  rate_limited: async ({ url, slow }) => {
    await call(`${url}/v1/api_apps`, "GET", { authorization: `Bearer ${slow}` });
    return call(`${url}/v1/api_apps`, "GET", { authorization: `Bearer ${slow}` });
  },
  coze_throttled: (stand) => withFault(stand, { code: 4009 }),
  coze_quota: (stand) => withFault(stand, { code: 4028 }),
  headers_too_large: ({ call }) => call("GET", "/v1/api_apps", undefined, { x: "x".repeat(20_000) }),
  audit_incomplete: (stand) => withLockedStore(stand, "GET"),
  coze_unavailable: (stand) => withFault(stand, { html: true }),
  coze_malformed: (stand) => withFault(stand, { body: "{}" }),
  coze_token_rejected: (stand) => withFault(stand, { status: 401 }),
  coze_permission_missing: (stand) => withFault(stand, { code: 4101 }),
  coze_blocked: (stand) => withFault(stand, { status: 403 }),
  coze_error: (stand) => withFault(stand, { code: 31337 }),
  coze_unreachable: async ({ call, coze }) => {
    await coze.close();
    return call("GET", "/v1/api_apps");
  },
  audit_unavailable: (stand) => withLockedStore(stand, "DELETE", "/7512345678901234567"),
  overloaded: async ({ call, coze }) => {
    coze.sandbox.faults.add({ delay_ms: 700 });
    const first = call("GET", "/v1/api_apps");
    await until(() => coze.sandbox.calls.length === 1);
    const met = await call("GET", "/v1/api_apps");
    await first;
    return met;
  },
  authentication_unavailable: async ({ url }) =>
    call(`${url}/v1/api_apps`, "GET", { authorization: `Bearer ${jwtOf("https://issuer.example")}` }),
  token_unavailable: async ({ startWithoutToken }) => (await startWithoutToken()).call("GET", "/v1/api_apps"),
  coze_timeout: (stand) => withFault(stand, { delay_ms: 60_000 }),
};

type Met = Pick<TestReply, "status" | "body">;
type Stand = Awaited<ReturnType<typeof startStand>>;

async function startStand(t: Teardown) {
  const coze = buildSandbox({ tokens: new Map([[token, "all"]]) });
  const url = await coze.listen({ host: "127.0.0.1", port: 0 });
  t.teardown(() => coze.close());
  const [idle, slow] = [mintKey("idle"), mintKey("slow")];
  const environment = {
    MAX_ATTEMPTS: "1",
    REQUEST_TIMEOUT_MS: "1000",
    ATTEMPT_TIMEOUT_MS: "1000",
    COZE_MAX_CONNECTIONS: "1",
    COZE_MAX_QUEUE: "0",
    AUDIT_TIMEOUT_MS: "2000",
  };
  const callers = [
    { id: "idle", key: idle, grants: [] },
    { id: "slow", key: slow, rateLimits: { read: "1/h" } },
  ];
  // Its keys cannot be had.
  const issuer = {
    name: "gone",
    issuer: "https://issuer.example",
    audiences: ["a"],
    jwks_uri: "http://127.0.0.1:9/",
  };
  const gateway = await startGateway(t, url, environment, callers, [issuer]);
  const startWithoutToken = () => startGateway(t, url, { COZE_TOKEN_FILE: `${gateway.folder}/none` });
  return { ...gateway, startWithoutToken, coze, idle, slow };
}

/** A token in good form that nobody signed. */
function jwtOf(iss: string): string {
  const exp = Math.floor(Date.now() / 1000) + 600;
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
  return `${part({ alg: "RS256", kid: "k" })}.${part({ iss, aud: "a", sub: "s", exp })}.c2lnbmF0dXJl`;
}

function withFault({ call, coze }: Stand, fault: Fault): Promise<Met> {
  coze.sandbox.faults.add(fault);
  return call("GET", "/v1/api_apps");
}

async function withLockedStore(stand: Stand, method: string, path = ""): Promise<Met> {
  const unlock = lockStore(stand);
  const met = await stand.call(method, `/v1/api_apps${path}`);
  unlock();
  return met;
}

for (const [word, meet] of Object.entries(situations)) {
  t.test(`a caller meets ${word} with the status of the table`, async (t) => {
    const { status, body } = await meet(await startStand(t));
    t.equal(body.gateway.error, word);
    t.equal(status, gatewayErrors[word as GatewayErrorName].status);
  });
}

t.test("while draining every reply asks for the connection to be closed", async (t) => {
  const coze = await startSandbox(t);
  const { gateway, url } = await startGateway(t, coze.url);
  t.equal((await fetch(`${url}/nowhere`)).headers.get("connection"), "keep-alive");
  gateway.drain();
  for (const path of ["/nowhere", "/v1/api_apps", "/docs"]) {
    t.equal((await fetch(url + path)).headers.get("connection"), "close", path);
  }
});

t.test(
  "a connection on which nothing moves is cut, but no idle one and no request in its time",
  async (t) => {
    const coze = await startSandbox(t);
    const { gateway, port, key } = await startGateway(t, coze.url, { REQUEST_TIMEOUT_MS: "20000" });
    const { server } = gateway.app;
    t.equal(server.timeout, 50_000, "well after the time of a request");
    server.timeout = 300;
    const agent = new Agent({ keepAlive: true });
    t.teardown(() => agent.destroy());
    const get = async (path: string) => {
      const sent = request({ agent, port, path, headers: { authorization: `Bearer ${key}` } }).end();
      const [reply] = await once(sent, "response");
      reply.resume();
      await once(reply, "end");
      return sent.reusedSocket;
    };
    await get("/livez");
    await sleep(700);
    t.equal(await get("/livez"), true, "an idle connection is kept");
    coze.sandbox.faults.add({ delay_ms: 5_000 });
    await t.rejects(get("/v1/api_apps"), { code: "ECONNRESET" }, "what the limit does, were it this short");
  },
);

t.test("a caller that does not read its reply does not hold it for ever", async (t) => {
  const coze = await startSandbox(t);
  const { gateway, port, key, lines } = await startGateway(t, coze.url);
  gateway.app.server.timeout = 300;
  // Together more than the sockets' buffers take.
  coze.sandbox.faults.add({ body: `{"code":0,"data":"${"x".repeat(1_000_000)}"}`, times: 20 });
  const list = `GET /v1/api_apps HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${key}\r\n\r\n`;
  const socket = connect(port, "127.0.0.1").on("error", () => undefined);
  t.teardown(() => socket.destroy());
  socket.write(list.repeat(20));
  await until(() => lines().some(({ aborted }) => aborted === true));
});

t.test("a target that cannot be decoded has a line of its own, without its text", async (t) => {
  const coze = await startSandbox(t);
  const { port, lines, text, gateway } = await startGateway(t, coze.url);
  const { headers } = await exchange(port, "GET /canary%zz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  const [line, ...more] = lines().filter(({ event }) => event === "malformed");
  t.match(line, {
    code: "FST_ERR_BAD_URL",
    error: "malformed_http",
    request_id: headers.get("x-request-id"),
    remote_address: "127.0.0.1",
  });
  const { body } = await gateway.admin.inject("/metrics");
  t.match(body, 'requests_total{operation="other",error="malformed_http"} 1\n');
  t.same(more, []);
  t.notMatch(text(), "canary");
});
