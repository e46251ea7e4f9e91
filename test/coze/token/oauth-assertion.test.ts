import { createPublicKey } from "node:crypto";
import { decodeProtectedHeader, jwtVerify } from "jose";
import t from "tap";
import { signAssertion } from "../../../src/coze/token/oauth-assertion.ts";
import { parseSigningKey } from "../../../src/coze/token/oauth-key.ts";
import { appId, keyId, keyPair } from "./oauth.ts";

const { pem, registered } = keyPair();
const settings = { origin: "https://api.coze.cn", appId, keyId };
const key = parseSigningKey(Buffer.from(pem));
const now = Date.parse("2026-06-01T12:00:00.999Z");

t.test("what Coze asks for, to the letter", async (t) => {
  const assertion = await signAssertion(settings, key, now);
  const { payload, protectedHeader } = await jwtVerify(assertion, createPublicKey(registered.publicKey), {
    currentDate: new Date(now),
  });
  t.strictSame(protectedHeader, { alg: "RS256", typ: "JWT", kid: keyId });
  const { jti = "", ...claims } = payload;
  const iat = Date.parse("2026-06-01T12:00:00Z") / 1000;
  t.strictSame(claims, { iss: appId, aud: "api.coze.cn", iat, exp: iat + 600 });
  t.equal(Buffer.from(jti, "base64url").length, 32);
});

t.test("no two are the same", async (t) => {
  const many = await Promise.all(Array.from({ length: 20 }, () => signAssertion(settings, key, now)));
  t.equal(new Set(many.map((each) => each.split(".")[1])).size, 20);
});

t.test("a key that names itself is named so", async (t) => {
  const named = parseSigningKey(Buffer.from(`kid: next-key\n${pem}`));
  t.equal(decodeProtectedHeader(await signAssertion(settings, named, now)).kid, "next-key");
});

t.test("the audience is a host, with its port where that is not the usual one", async (t) => {
  const local = { ...settings, origin: "http://127.0.0.1:4711" };
  const [, claims = ""] = (await signAssertion(local, key, now)).split(".");
  t.equal(JSON.parse(Buffer.from(claims, "base64url").toString()).aud, "127.0.0.1:4711");
});
