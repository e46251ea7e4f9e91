import { inspect } from "node:util";
import { decodeJwt, decodeProtectedHeader } from "jose";
import t, { type Test } from "tap";
import { CozeClient } from "../../../src/coze/exchange.ts";
import { type Clocks, CozeClock, realClocks } from "../../../src/coze/token/coze-clock.ts";
import { parseSigningKey } from "../../../src/coze/token/oauth-key.ts";
import { mint } from "../../../src/coze/token/oauth-mint.ts";
import { MintError } from "../../../src/coze/token/oauth-reply.ts";
import type { OAuthSettings } from "../../../src/coze/token/source.ts";
import {
  type Answer,
  bytes,
  bytesThenEnd,
  reset,
  silence,
  startMisbehavingServer,
  wireReply,
} from "../../helpers/misbehaving-server.ts";
import { startSandbox } from "../../sandbox/helper.ts";
import { appId, keyId, keyPair } from "./oauth.ts";

const { pem, registered } = keyPair();
const key = parseSigningKey(Buffer.from(pem));

/** A mint at this origin that can be tried as often as wanted. */
function minter(t: Test, origin: string, settings: Partial<OAuthSettings> = {}, clocks: Clocks = realClocks) {
  const client = new CozeClient({ origin, connections: 1, connectTimeoutMs: 2_000 });
  t.teardown(() => client.close());
  const clock = new CozeClock(clocks);
  const given = { appId, keyId, keyFile: "", durationSeconds: 3_600, timeoutMs: 30_000, ...settings, origin };
  return { clock, mint: () => mint(client, given, key, clock) };
}

/** A local Coze that knows the key. */
const startCoze = (t: Test) => startSandbox(t, { oauthKeys: new Map([[keyId, registered]]) });

/** The error with which a mint at a Coze that answers so fails. */
async function failureOf(t: Test, answer: Answer, settings: Partial<OAuthSettings> = {}) {
  const coze = await startMisbehavingServer(t, answer);
  const error = await minter(t, coze.url, settings)
    .mint()
    .then(
      () => undefined,
      (each) => each,
    );
  if (!(error instanceof MintError)) throw new Error("it did not fail");
  const [request] = coze.requests;
  return { error, request, assertion: request?.headers["authorization"]?.slice("Bearer ".length) ?? "" };
}

for (const [name, settings, path] of [
  ["the app", {}, "/api/permission/oauth2/token"],
  ["an account", { accountId: "8" }, "/api/permission/oauth2/account/8/token"],
  ["an enterprise", { enterpriseId: "volcano_2" }, "/api/permission/oauth2/enterprise_id/volcano_2/token"],
] as const) {
  t.test(`a token for ${name}`, async (t) => {
    const coze = await startCoze(t);
    const before = Date.now();
    const minted = await minter(t, coze.base, settings).mint();
    t.equal(minted.value, coze.oauth.minted[0]);
    t.ok(minted.lifeMs > 3_590_000 && minted.lifeMs <= 3_600_000, String(minted.lifeMs));
    t.ok(Math.abs(minted.expiresAt - before - 3_600_000) < 10_000);
    const [call] = coze.calls;
    t.match(call, { method: "POST", url: path });
    t.strictSame(JSON.parse(call?.body ?? ""), {
      grant_type: "urn:ietf:params:oauth:grant-type:jwt-bearer",
      duration_seconds: 3600,
    });
    const headers = Object.fromEntries(call?.headers ?? []);
    t.equal(headers["content-type"], "application/json");
    t.equal(headers["accept-encoding"], "identity");
    const assertion = String(headers["authorization"]).slice("Bearer ".length);
    t.match(decodeProtectedHeader(assertion), { alg: "RS256", typ: "JWT", kid: keyId });
    t.match(decodeJwt(assertion), { iss: appId, aud: new URL(coze.base).host });
  });
}

t.test("each mint brings an assertion of its own", async (t) => {
  const coze = await startCoze(t);
  const { mint: again } = minter(t, coze.base);
  for (let count = 1; count <= 3; count++) {
    await again();
    t.equal(coze.oauth.minted.length, count);
  }
});

t.test("no whole reply is passing trouble, a wrong certificate is not", async (t) => {
  const cases: [name: string, answer: Answer, words: RegExp][] = [
    ["a reset", reset, /^reset: /],
    ["silence", silence, /^timeout: no whole reply within 300 ms$/],
    ["half a reply", bytesThenEnd(wireReply(200, "{}", { "content-length": "99" })), /^reset: /],
    ["no HTTP", bytesThenEnd("hello\r\n\r\n"), /^bad_http: /],
    ["a page too large", bytes(wireReply(200, "x".repeat(1024 * 1024 + 1))), /^too_large: /],
    ["HTML", bytes(wireReply(502, "<html>")), /^HTTP 502, no JSON object$/],
    [
      "a redirect",
      bytes(wireReply(302, "", { location: "https://x.example" })),
      /^HTTP 302, no JSON object$/,
    ],
  ];
  for (const [name, answer, words] of cases) {
    const { error } = await failureOf(t, answer, { timeoutMs: name === "silence" ? 300 : 30_000 });
    t.match(error.message, words, name);
    t.equal(error.passing, true, name);
  }
  const nobody = await minter(t, "http://127.0.0.1:9").mint().catch(String);
  t.match(nobody, /^MintError: connect: ECONNREFUSED$/);
});

t.test("Coze's words are kept short, printable, and free of secrets", async (t) => {
  const echo: Answer = (socket, { headers }) => {
    const assertion = String(headers["authorization"]).slice("Bearer ".length);
    const words = [
      `bad\u0007 jwt\n\u202e "${assertion}"`,
      assertion.slice(0, -9),
      Buffer.from(`Bearer ${assertion}`).toString("base64"),
      "czs_SECRET0123456789",
      "schön".repeat(200),
    ];
    socket.write(
      wireReply(401, JSON.stringify({ error: "invalid_client", error_description: words.join(" ") })),
    );
  };
  const { error, assertion } = await failureOf(t, echo);
  t.match(error.message, /^HTTP 401, invalid_client: bad\? jwt\?\? "\[redacted\]" \[redacted\] /);
  t.match(error.message, /^[\x20-\x7e]{100,300}$/);
  for (const part of [assertion.slice(20, 60), assertion.split(".")[2] ?? "", "SECRET"])
    t.notMatch(inspect(error), part);
});

t.test("a wrong clock: the first refusal tells the time, and the next try is right", async (t) => {
  for (const wrongBy of [3_600_000, -3_600_000]) {
    const coze = await startCoze(t);
    const clocks = { monotonic: realClocks.monotonic, wall: () => Date.now() + wrongBy };
    const { mint: again } = minter(t, coze.base, {}, clocks);
    const words = /invalid jwt: .*; our clock is -?(3599|3600|3601) s ahead of Coze's$/;
    await t.rejects(again(), { message: words, passing: true });
    const { lifeMs } = await again();
    t.ok(lifeMs > 3_590_000 && lifeMs <= 3_600_000, `its life is not wrong by an hour: ${lifeMs}`);
  }
});

t.test("a jump of the clock between two mints is not even noticed", async (t) => {
  const coze = await startCoze(t);
  let jump = 0;
  const clocks = { monotonic: realClocks.monotonic, wall: () => Date.now() + jump };
  const { mint: again } = minter(t, coze.base, {}, clocks);
  for (jump of [0, 3_600_000, -3_600_000]) t.ok(Math.abs((await again()).lifeMs - 3_600_000) < 10_000);
});
