import { writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import t, { type Test } from "tap";
import { buildSandbox } from "../../src/sandbox/coze.ts";
import { eventually } from "../config/eventually.ts";
import { startGateway, type TestGateway } from "../helpers/gateway.ts";
import { callBy, logged, methods, verdictOf } from "./helper.ts";
import { appId, keyId, keyPair } from "./token/oauth.ts";

const keys = keyPair();
const mintPath = "/api/permission/oauth2/token";

type Coze = ReturnType<typeof buildSandbox>["sandbox"];

/** A gateway that mints its token at a local Coze, which is set up by `before`. */
async function start(
  t: Test,
  before: (coze: Coze) => void = () => undefined,
  environment: NodeJS.ProcessEnv = {},
) {
  const app = buildSandbox({ tokens: new Map(), oauthKeys: new Map([[keyId, keys.registered]]) });
  t.teardown(() => app.close());
  before(app.sandbox);
  const keyFile = join(t.testdir({ "key.pem": keys.pem }), "key.pem");
  const gateway = await startGateway(t, await app.listen({ host: "127.0.0.1", port: 0 }), {
    COZE_TOKEN_FILE: "",
    COZE_OAUTH_APP_ID: appId,
    COZE_OAUTH_KEY_ID: keyId,
    COZE_OAUTH_PRIVATE_KEY_FILE: keyFile,
    ...environment,
  });
  const { admin } = gateway.gateway;
  return {
    coze: app.sandbox,
    gateway,
    keyFile,
    /** How often Coze was asked for a token. */
    asked: () => app.sandbox.calls.filter(({ url }) => url === mintPath).length,
    ready: async () => (await admin.inject("/readyz")).json().checks.token,
    status: async () => (await admin.inject("/token")).json(),
    metrics: async () => (await admin.inject("/metrics")).body,
  };
}

const many = (gateway: TestGateway, count: number) =>
  Promise.all(Array.from({ length: count }, (_, at) => callBy(gateway, methods[at % 3] ?? "GET")));

t.test("50 concurrent requests with no valid token at hand: exactly one mint", async (t) => {
  const { coze, gateway, asked, ready } = await start(t, ({ faults }) =>
    faults.add({ path: mintPath, delay_ms: 1_000 }),
  );
  t.equal(await ready(), false);
  const replies = await many(gateway, 50);
  // The app that the deletions name is not there: Coze knows the token all the same.
  for (const { status } of replies) t.ok(status === 200 || status === 404, String(status));
  t.equal(replies.filter(({ status }) => status === 200).length, 33);
  t.equal(asked(), 1);
  t.equal(coze.oauth.minted.length, 1);
  t.equal(await ready(), true);
});

t.test("when that mint fails they are all told so, and a later one mends it", async (t) => {
  const { coze, gateway, asked } = await start(t, ({ faults }) =>
    faults.add({ path: mintPath, delay_ms: 700, code: 5000 }),
  );
  const replies = await many(gateway, 50);
  for (const reply of replies) {
    const outcome = reply.body.gateway.outcome;
    t.match(verdictOf(t, reply), {
      status: 503,
      error: "token_unavailable",
      attempts: 0,
      stopped: "no_token",
    });
    t.ok(outcome === undefined || outcome === "not_sent");
    t.equal(reply.headers.get("retry-after"), "5");
  }
  t.equal(asked(), 1);
  await eventually("a token", () => coze.oauth.minted.length === 1);
  t.equal((await callBy(gateway, "POST")).status, 200);
  t.match(logged(gateway, "token_mint_failed"), [
    { level: "error", problem: /^HTTP 200, code 5000: /, retry_in_ms: Number },
  ]);
  t.match(logged(gateway, "token_loaded"), [{ generation: 1, expires_at: /^20/ }]);
});

t.test("a call waits no longer than its time", async (t) => {
  const { gateway } = await start(t, ({ faults }) => faults.add({ path: mintPath, delay_ms: 60_000 }));
  const startedAt = performance.now();
  const reply = await callBy(gateway, "GET", { "x-gateway-timeout-ms": "200" });
  t.match(verdictOf(t, reply), { status: 503, error: "token_unavailable", stopped: "no_token" });
  t.ok(performance.now() - startedAt >= 200);
});

t.test("29: a read whose caller hangs up while it waits for a token is given up", async (t) => {
  const { gateway, asked } = await start(t, ({ faults }) => faults.add({ path: mintPath, delay_ms: 60_000 }));
  await eventually("the mint", () => asked() === 1);
  const socket = connect(gateway.port, "127.0.0.1");
  socket.write(`GET /v1/api_apps HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${gateway.key}\r\n\r\n`);
  const underWay = async () => (await gateway.gateway.admin.inject("/metrics")).body;
  await eventually("the call", async () => /calls_under_way 1\n/.test(await underWay()));
  socket.destroy();
  await eventually("its end", () => logged(gateway, "request").length === 1);
  t.match(logged(gateway, "request"), [{ aborted: true, attempts: [], stopped: "caller_gone" }]);
});

t.test("renewal under load: every token runs out, and no call fails", async (t) => {
  const { coze, gateway } = await start(t, ({ oauth }) => {
    oauth.lifeSeconds = 3;
  });
  const failures: string[] = [];
  let calls = 0;
  const client = async () => {
    while (coze.oauth.minted.length < 6) {
      const { status, text } = await callBy(gateway, calls++ % 4 ? "GET" : "POST");
      if (status !== 200) failures.push(text);
    }
  };
  await Promise.all(Array.from({ length: 6 }, client));
  t.strictSame(failures, []);
  t.ok(calls > 100);
  t.same(logged(gateway, "token_mint_failed"), []);
  t.ok(logged(gateway, "token_loaded").length >= 5);
});

t.test("minting down: the token is used while it is valid, then 503; it recovers alone", async (t) => {
  const { coze, gateway, ready, status, metrics } = await start(t, ({ oauth }) => {
    oauth.lifeSeconds = 6;
  });
  await eventually("a token", ready);
  coze.faults.add({ path: mintPath, status: 503, times: 1_000 });
  let valid = 0;
  const failing = () => logged(gateway, "token_mint_failed").length;
  while (failing() === 0 || (await ready())) {
    const reply = await callBy(gateway, "GET");
    // Between the last look and the call it may have run out.
    if (reply.status !== 200 && (await ready())) t.fail(reply.text);
    if (failing() > 0 && reply.status === 200) valid += 1;
  }
  t.ok(valid > 5, `${valid} calls went well while minting failed`);
  t.match(await status(), { state: "expired", trouble: /^HTTP 503/ });
  for (const method of methods)
    t.match(verdictOf(t, await callBy(gateway, method)), { status: 503, error: "token_unavailable" });
  t.match(await metrics(), /token_reload_failures_total [1-9]/);
  t.match(await metrics(), /token_expires_in_seconds -\d/);
  coze.oauth.lifeSeconds = 900;
  coze.faults.clear();
  await eventually("the recovery", ready);
  t.equal((await callBy(gateway, "POST")).status, 200);
});

t.test("18: a minted token that Coze no longer takes is replaced by one mint", async (t) => {
  const { coze, gateway, asked } = await start(t);
  t.equal((await callBy(gateway, "GET")).status, 200);
  coze.oauth.revoke(coze.oauth.minted[0] ?? "");
  coze.faults.add({ path: mintPath, delay_ms: 500 });
  const replies = await Promise.all(Array.from({ length: 30 }, () => callBy(gateway, "POST")));
  for (const { status, headers } of replies) t.same([status, headers.get("x-gateway-attempts")], [200, "2"]);
  t.equal(asked(), 2);
  t.match(logged(gateway, "retry")[0], { class: "token_rejected", charged: false });
});

t.test("18: minted tokens that Coze does not take cause no storm of mints", async (t) => {
  const { coze, gateway, asked } = await start(t, ({ faults }) => {
    const body = () =>
      `{"access_token":"czs_FALSE0123456789","expires_in":${Math.floor(Date.now() / 1000) + 900}}`;
    faults.add({ path: mintPath, body: body(), times: 1_000 });
  });
  for (const reply of await many(gateway, 50))
    t.match(verdictOf(t, reply), { status: 502, error: "coze_token_rejected" });
  t.ok(asked() <= 3, `${asked()} mints`);
  coze.faults.clear();
  await eventually("a call that goes well", async () => (await callBy(gateway, "GET")).status === 200);
  t.ok(asked() <= 5, `${asked()} mints`);
});

t.test("the key is rotated without a restart", async (t) => {
  const { coze, gateway, keyFile, ready, status } = await start(t, ({ oauth }) => oauth.keys.clear());
  await eventually("the refusal", () => logged(gateway, "token_mint_failed").length === 1);
  t.match(await status(), { state: "missing", trouble: /kid not been registred/ });
  const next = keyPair();
  coze.oauth.keys.set("fingerprint-B", next.registered);
  await writeFile(keyFile, "not a key");
  await eventually("the trouble", () => logged(gateway, "token_key_file_unusable").length === 1);
  await writeFile(keyFile, `kid: fingerprint-B\n${next.pem}`);
  await eventually("a token", ready);
  t.equal((await callBy(gateway, "GET")).status, 200);
});

t.test("neither key, assertion nor token shows", async (t) => {
  const echo = { path: mintPath, status: 400, body: '{"error":"internal_error"}' };
  const { coze, gateway, status, metrics } = await start(t, ({ faults }) => faults.add(echo));
  await eventually("a token", () => coze.oauth.minted.length === 1);
  const assertions = coze.calls
    .filter(({ url }) => url === mintPath)
    .map(({ headers }) =>
      new Map(headers.map(([name, value]) => [name.toLowerCase(), value])).get("authorization"),
    );
  const [value = ""] = coze.oauth.minted;
  coze.faults.add({ code: 4000, msg: `your token ${value} is nice`, times: 9 });
  const leaked = await callBy(gateway, "GET");
  t.match(verdictOf(t, leaked), { status: 502, error: "coze_malformed" });
  const all = gateway.text() + leaked.text + JSON.stringify(await status()) + (await metrics());
  for (const secret of [value, ...assertions.map((each) => each?.slice("Bearer ".length, 80) ?? "Bearer")])
    t.notMatch(all, secret);
  t.notMatch(all, keys.pem.split("\n")[3] ?? "");
});
