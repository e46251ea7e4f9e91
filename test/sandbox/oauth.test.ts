import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { type JWTHeaderParameters, SignJWT } from "jose";
import t, { type Test } from "tap";
import { appId, keyId, keyPair } from "../coze/token/oauth.ts";
import { startSandbox } from "./helper.ts";

const { privateKey, registered } = keyPair();
const other = keyPair();
const body = { grant_type: "urn:ietf:params:oauth:grant-type:jwt-bearer" };
const now = () => Math.floor(Date.now() / 1000);

/** A local Coze with one registered key, and a client of its token endpoints. */
async function start(t: Test) {
  const coze = await startSandbox(t, { oauthKeys: new Map([[keyId, registered]]) });
  const host = new URL(coze.base).host;
  const good = () => ({
    iss: appId,
    aud: host,
    iat: now(),
    exp: now() + 600,
    jti: randomBytes(32).toString("hex"),
  });
  const sign = (claims: object, header: Partial<JWTHeaderParameters> = {}, key = privateKey) =>
    new SignJWT({ ...claims })
      .setProtectedHeader({ alg: "RS256", typ: "JWT", kid: keyId, ...header })
      .sign(key);
  const mint = async (assertion: string, input: unknown = body, path = "token", type = "application/json") =>
    coze.call("POST", `/api/permission/oauth2/${path}`, input, {
      authorization: `Bearer ${assertion}`,
      "content-type": type,
    });
  const list = async (token: unknown) =>
    (await coze.call("GET", "/v1/api_apps", undefined, { authorization: `Bearer ${token}` })).json;
  return { ...coze, good, sign, mint, list };
}

t.test("each of the three endpoints mints a token that is taken", async (t) => {
  const { good, sign, mint, list, oauth } = await start(t);
  for (const path of ["token", "account/123/token", "enterprise_id/volcano_1/token"]) {
    const { status, json } = await mint(await sign(good()), body, path);
    t.equal(status, 200);
    t.same(Object.keys(json ?? {}), ["access_token", "expires_in"], "bare, as Coze answers");
    t.ok(
      Math.abs(Number(json?.["expires_in"]) - now() - 900) <= 1,
      "a point in time, after the default life",
    );
    t.match(await list(json?.["access_token"]), { code: 0 });
  }
  t.equal(oauth.minted.length, 3);
  t.equal(new Set(oauth.minted).size, 3);
});

t.test("life as asked for, within Coze's bounds", async (t) => {
  const { good, sign, mint } = await start(t);
  for (const duration_seconds of [900, 86_399]) {
    const { json } = await mint(await sign(good()), { ...body, duration_seconds });
    t.ok(Math.abs(Number(json?.["expires_in"]) - now() - duration_seconds) <= 1);
  }
  for (const duration_seconds of [899, 86_400, 1000.5, "900", null]) {
    const { status, json } = await mint(await sign(good()), { ...body, duration_seconds });
    t.equal(status, 400);
    t.match(json, { error_code: "invalid_request", error: "invalid_request", error_message: /900 to 86399/ });
  }
});

t.test("a minted token is over in time, and any token can be revoked", async (t) => {
  const { good, sign, mint, list, oauth } = await start(t);
  oauth.lifeSeconds = 2;
  const { json } = await mint(await sign(good()));
  const token = json?.["access_token"];
  t.match(await list(token), { code: 0 });
  await sleep(2_050);
  t.match(await list(token), { code: 700012006 });
  oauth.lifeSeconds = undefined;
  const next = (await mint(await sign(good()))).json?.["access_token"];
  t.match(await list(next), { code: 0 });
  oauth.revoke(String(next));
  t.match(await list(next), { code: 700012006 });
  t.match(await list("sat_all"), { code: 0 });
  oauth.revoke("sat_all");
  t.match(await list("sat_all"), { code: 700012006 });
});

t.test("an assertion is really verified", async (t) => {
  const { good, sign, mint, oauth } = await start(t);
  const used = good();
  t.equal((await mint(await sign(used))).status, 200);
  const { jti: _, ...anonymous } = good();
  const cases: Record<string, [assertion: string, words: RegExp]> = {
    "used before": [await sign(used), /used before/],
    "another key": [await sign(good(), {}, other.privateKey), /signature/],
    "unknown kid": [await sign(good(), { kid: "x" }), /kid not been registred/],
    "no kid": [await sign(good(), { kid: undefined as unknown as string }), /kid not been registred/],
    "another type": [await sign(good(), { typ: "at+jwt" }), /typ/],
    "another algorithm": [await sign(good(), { alg: "RS512" }), /alg/],
    "another host": [await sign({ ...good(), aud: "api.coze.cn" }), /aud/],
    "with a scheme": [await sign({ ...good(), aud: `http://${good().aud}` }), /aud/],
    "another app": [await sign({ ...good(), iss: "2" }), /another app/],
    over: [await sign({ ...good(), iat: now() - 700, exp: now() - 100 }), /exp/],
    "of the future": [await sign({ ...good(), iat: now() + 100, exp: now() + 700 }), /future/],
    "without jti": [await sign(anonymous), /jti/],
    "a short jti": [await sign({ ...good(), jti: "1234567" }), /jti is too short/],
    nonsense: ["a.b.c", /./],
  };
  for (const [name, [assertion, words]] of Object.entries(cases)) {
    const { status, json } = await mint(assertion);
    t.equal(status, 401, name);
    t.match(json, { error_code: "invalid_client", error_message: words }, name);
  }
  t.equal(oauth.minted.length, 1);
});

t.test("what else is wrong with the request", async (t) => {
  const { base, good, sign, mint, oauth } = await start(t);
  t.match((await mint("")).json, { error_code: "invalid_request", error_message: "verify jwt empty error" });
  const bare = await fetch(`${base}/api/permission/oauth2/token`, { method: "POST" });
  t.match(await bare.json(), { error_code: "invalid_request", error_message: "verify jwt empty error" });
  t.match((await mint(await sign(good()), { grant_type: "x" })).json, {
    error_code: "unsupported_grant_type",
  });
  for (const input of ["{", "[]", "grant_type=x"])
    t.match((await mint(await sign(good()), input)).json, { error_code: "invalid_request" });
  const form = "application/x-www-form-urlencoded";
  t.match((await mint(await sign(good()), body, "token", form)).json, { error_code: "invalid_request" });
  t.equal(oauth.minted.length, 0);
});

t.test("keys come and go, faults strike, and a fault of the local Coze itself does not hide", async (t) => {
  const { good, sign, mint, oauth, faults, calls } = await start(t);
  oauth.keys.delete(keyId);
  t.equal((await mint(await sign(good()))).status, 401);
  oauth.keys.set("B", other.registered);
  t.equal((await mint(await sign(good(), { kid: "B" }, other.privateKey))).status, 200);
  faults.add({ path: "/api/permission/oauth2/token", code: 5000 });
  t.match((await mint(await sign(good(), { kid: "B" }, other.privateKey))).json, { code: 5000 });
  t.equal(oauth.minted.length, 1);
  t.equal(calls.length, 3);
  oauth.minted.push = () => {
    throw new TypeError("a bug");
  };
  t.equal((await mint(await sign(good(), { kid: "B" }, other.privateKey))).status, 400);
});
