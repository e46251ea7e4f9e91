import { createHmac } from "node:crypto";
import { exportSPKI, SignJWT } from "jose";
import t from "tap";
import { issuerConfig } from "../../../src/callers/jwt/issuer-config.ts";
import { readJwt } from "../../../src/callers/jwt/jwt.ts";
import { KeyProver } from "../../../src/callers/jwt/key-prover.ts";
import {
  audience,
  claimsOf,
  issuer,
  mint,
  newKey,
  nowSeconds,
  rawToken,
  refused,
  subject,
} from "./tokens.ts";

const config = issuerConfig.parse({
  name: "cluster",
  issuer,
  audiences: [audience],
  algorithms: ["ES256", "RS256"],
  jwks_file: "/keys",
});
const [key, other, rsa] = await Promise.all([newKey("one"), newKey("one"), newKey("rsa", "RS256")]);

/** Proves with one key, whatever the token asks for. */
function proverWith(found = key.publicKey) {
  const asked: unknown[] = [];
  let closed = 0;
  const prover = new KeyProver({
    find: async (wanted) => {
      asked.push(wanted);
      return found;
    },
    close: async () => {
      closed += 1;
    },
  });
  const prove = (token: string, now = Date.now(), changes: object = {}) =>
    prover.prove(readJwt(token), { ...config, ...changes }, now);
  return { prove, asked, prover, closed: () => closed };
}

t.test("a signature by the right key proves the subject", async (t) => {
  const { prove, asked, prover, closed } = proverWith();
  t.equal(await prove(await mint(key)), subject);
  t.strictSame(asked, [{ algorithm: "ES256", keyId: "one" }]);
  t.equal(await proverWith(rsa.publicKey).prove(await mint(rsa)), subject);
  await prover.close();
  t.equal(closed(), 1);
});

t.test("a signature by another key, or changed claims, prove nothing", async (t) => {
  const { prove } = proverWith();
  const badSignature = refused("bad_signature");
  await t.rejects(prove(await mint(other)), badSignature);
  const [head, , signature] = (await mint(key)).split(".");
  const admin = Buffer.from(JSON.stringify(claimsOf({ sub: "admin" }))).toString("base64url");
  await t.rejects(prove(`${head}.${admin}.${signature}`), badSignature);
  await t.rejects(prove(rawToken({ alg: "ES256", kid: "one" }, claimsOf())), badSignature);
});

t.test("a MAC with the public key, and no signature at all, prove nothing", async (t) => {
  const { prove } = proverWith(rsa.publicKey);
  const pem = await exportSPKI(rsa.publicKey);
  for (const secret of [pem, pem.trim(), JSON.stringify(rsa.jwk)]) {
    const hs256 = await new SignJWT(claimsOf())
      .setProtectedHeader({ alg: "HS256", kid: "rsa" })
      .sign(Buffer.from(secret));
    await t.rejects(prove(hs256), refused("bad_signature"));
    // The same MAC under the name of an algorithm that is allowed.
    const [head, body] = rawToken({ alg: "RS256", kid: "rsa" }, claimsOf()).split(".");
    const mac = createHmac("sha256", secret).update(`${head}.${body}`).digest("base64url");
    await t.rejects(prove(`${head}.${body}.${mac}`), refused("bad_signature"));
  }
  await t.rejects(prove(rawToken({ alg: "none", kid: "rsa" }, claimsOf())), refused("bad_signature"));
});

t.test("what the claims' own check would have refused is refused here as well", async (t) => {
  const { prove } = proverWith();
  const now = nowSeconds();
  const badSignature = refused("bad_signature");
  t.ok(await prove(await mint(key, { exp: now - 29, nbf: now + 30 }), now * 1000));
  for (const claims of [
    { exp: now - 30 },
    { nbf: now + 31 },
    { aud: "other" },
    { iss: "https://other.example" },
    { exp: undefined },
    { sub: undefined },
  ])
    await t.rejects(prove(await mint(key, claims), now * 1000), badSignature, JSON.stringify(claims));
  await t.rejects(prove(await mint(key), Date.now(), { required_claims: ["tenant"] }), badSignature);
  await t.rejects(prove(await mint(key), Date.now(), { algorithms: ["RS256"] }), badSignature);
  await t.rejects(prove(await mint(key, { sub: "a b" })), refused("bad_subject"));
});
