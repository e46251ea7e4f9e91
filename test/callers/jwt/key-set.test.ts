import { generateKeyPairSync } from "node:crypto";
import { exportJWK, type JWK } from "jose";
import t from "tap";
import { parseKeySet } from "../../../src/callers/jwt/key-set.ts";
import { newKey } from "./tokens.ts";

const parse = (value: unknown) =>
  parseKeySet(Buffer.from(typeof value === "string" ? value : JSON.stringify(value)));
const [rsa, ec, ed] = await Promise.all([newKey("rsa", "RS256"), newKey("ec"), newKey("ed", "EdDSA")]);

t.test("keys are found by id and algorithm", async (t) => {
  const set = parse({ keys: [rsa.jwk, ec.jwk, ed.jwk], extra: true });
  for (const key of [rsa, ec, ed]) {
    const found = await set.find({ algorithm: key.alg, keyId: key.kid });
    t.match(found, { type: "public" }, key.alg);
    t.strictSame(await set.find({ algorithm: key.alg, keyId: undefined }), found, "the only one of its kind");
  }
  t.equal(await set.find({ algorithm: "RS256", keyId: "ec" }), undefined, "a key of another kind");
  t.equal(await set.find({ algorithm: "RS512", keyId: "rsa" }), undefined, "a key for another algorithm");
  t.equal(await set.find({ algorithm: "RS256", keyId: "RSA" }), undefined);
  t.equal(await set.find({ algorithm: "HS256", keyId: "rsa" }), undefined);
  t.equal(await set.find({ algorithm: "none", keyId: "rsa" }), undefined);
});

t.test("of several keys none is guessed", async (t) => {
  const other = await newKey("other");
  const set = parse({ keys: [ec.jwk, other.jwk] });
  t.equal(await set.find({ algorithm: "ES256", keyId: undefined }), undefined);
  t.ok(await set.find({ algorithm: "ES256", keyId: "other" }));
});

t.test("keys for other uses, of unknown kinds, broken or short are left out", async (t) => {
  const short = generateKeyPairSync("rsa", { modulusLength: 1024 }).publicKey.export({ format: "jwk" });
  const odd: JWK[] = [
    { ...ec.jwk, kid: "enc", use: "enc" },
    { ...ec.jwk, kid: "ops", key_ops: ["encrypt"] },
    { kty: "AKP", kid: "new", alg: "ML-DSA-44", pub: "AAAA" },
    { kty: "EC", kid: "broken", crv: "P-256", x: "AA", y: "AA" },
    { kty: "RSA", kid: "short", n: String(short.n), e: String(short.e) },
  ];
  const set = parse({ keys: [...odd, rsa.jwk] });
  for (const { kid } of odd)
    for (const algorithm of ["RS256", "ES256"])
      t.equal(await set.find({ algorithm, keyId: String(kid) }), undefined, String(kid));
  t.ok(await set.find({ algorithm: "RS256", keyId: "rsa" }));
  t.throws(() => parse({ keys: odd.slice(2) }), { message: "the JWK Set holds no usable public key" });
});

t.test("content that is none is refused without being quoted", async (t) => {
  const secret = { ...(await exportJWK(ec.privateKey)), kid: "ec" };
  const cases: [what: unknown, message: string][] = [
    ["", "not a JWK Set"],
    ["<html>keys</html>", "not a JWK Set"],
    ["[]", "not a JWK Set"],
    ["null", "not a JWK Set"],
    [{ keys: {} }, "not a JWK Set"],
    [{ keys: ["a"] }, "not a JWK Set"],
    [{ keys: [{ kid: "a" }] }, "not a JWK Set"],
    [{ keys: Array.from({ length: 101 }, () => ec.jwk) }, "not a JWK Set"],
    [ec.jwk, "not a JWK Set"],
    [{ keys: [] }, "the JWK Set holds no usable public key"],
    [{ keys: [rsa.jwk, secret] }, "the JWK Set holds a private or symmetric key, which has no place there"],
    [
      { keys: [rsa.jwk, { kty: "oct", k: "c2VjcmV0" }] },
      "the JWK Set holds a private or symmetric key, which has no place there",
    ],
    [{ keys: [{ kty: "oct" }] }, "the JWK Set holds a private or symmetric key, which has no place there"],
    [
      { keys: [{ kty: "x", k: "c2VjcmV0" }] },
      "the JWK Set holds a private or symmetric key, which has no place there",
    ],
  ];
  for (const [what, message] of cases)
    t.throws(() => parse(what), { message }, JSON.stringify(what).slice(0, 60));
});
