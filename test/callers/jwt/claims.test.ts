import t from "tap";
import { checkClaims, requireSubject } from "../../../src/callers/jwt/claims.ts";
import { issuerConfig } from "../../../src/callers/jwt/issuer-config.ts";
import { readJwt } from "../../../src/callers/jwt/jwt.ts";
import type { JwtRefusal } from "../../../src/callers/jwt/refused.ts";
import { audience, claimsOf, issuer, rawToken, refused, subject } from "./tokens.ts";

const entry = { name: "cluster", issuer, audiences: [audience, "other"], jwks_file: "/keys" };
const config = issuerConfig.parse(entry);
const second = 1_900_000_000;
const now = second * 1000 + 999;

function check(claims: Record<string, unknown>, changes: object = {}, alg = "RS256"): number {
  const token = rawToken({ alg }, claimsOf({ exp: second + 600, nbf: second, iat: second, ...claims }));
  return checkClaims(readJwt(token), issuerConfig.parse({ ...entry, ...changes }), now);
}

t.test("a good token, and until when it is one", async (t) => {
  t.equal(check({}), (second + 630) * 1000);
  t.equal(check({}, { clock_skew_seconds: 0 }), (second + 600) * 1000);
  t.ok(check({ aud: audience }), "one audience, not in a list");
  t.ok(check({ aud: ["x", "other"] }), "any of the audiences");
  t.ok(check({ nbf: undefined }), "nbf may be left out");
  t.ok(check({}, { algorithms: ["ES256", "EdDSA"] }, "EdDSA"));
});

t.test("30 s of skew to the second", async (t) => {
  t.equal(check({ exp: second - 29 }), (second + 1) * 1000, "expired 29 s ago");
  t.throws(() => check({ exp: second - 30 }), refused("expired"));
  t.throws(() => check({ exp: second - 31 }), refused("expired"));
  t.ok(check({ nbf: second + 30 }), "valid in 30 s");
  t.throws(() => check({ nbf: second + 31 }), refused("not_yet_valid"));
  t.ok(check({ exp: second + 1 }, { clock_skew_seconds: 0 }));
  t.throws(() => check({ exp: second }, { clock_skew_seconds: 0 }), refused("expired"));
  t.throws(() => check({ nbf: second + 1 }, { clock_skew_seconds: 0 }), refused("not_yet_valid"));
});

t.test("the time of the last acceptance agrees with expiresAt", async (t) => {
  const jwt = readJwt(rawToken({ alg: "RS256" }, claimsOf({ exp: second, nbf: undefined })));
  const expiresAt = checkClaims(jwt, config, now);
  t.equal(checkClaims(jwt, config, expiresAt - 1), expiresAt);
  t.throws(() => checkClaims(jwt, config, expiresAt), refused("expired"));
});

t.test("refusals", async (t) => {
  const cases: [reason: JwtRefusal, claims: Record<string, unknown>, changes?: object][] = [
    ["missing_claim", { exp: undefined }],
    ["missing_claim", { sub: undefined }],
    ["missing_claim", { aud: undefined }],
    ["missing_claim", {}, { required_claims: ["jti", "kubernetes.io", "tenant"] }],
    ["missing_claim", {}, { required_claims: ["toString"] }],
    ["bad_claim", { exp: String(second + 600) }],
    ["bad_claim", { exp: null }],
    ["bad_claim", { exp: 1e300 }],
    ["bad_claim", { exp: -1 }],
    ["bad_claim", { nbf: "soon" }],
    ["bad_claim", { nbf: null }],
    ["wrong_audience", { aud: [] }],
    ["wrong_audience", { aud: "https://kubernetes.default.svc" }],
    ["wrong_audience", { aud: [`${audience}/`] }],
    ["wrong_audience", { aud: { 0: audience } }],
    ["wrong_audience", { aud: null }],
    ["bad_subject", { sub: "" }],
    ["bad_subject", { sub: 7 }],
  ];
  for (const [reason, claims, changes] of cases)
    t.throws(() => check(claims, changes), refused(reason), JSON.stringify(claims));
  t.ok(check({}, { required_claims: ["jti", "kubernetes.io"] }));
  for (const alg of ["none", "None", "HS256", "RS512", "rs256", "toString"])
    t.throws(() => check({}, {}, alg), refused("algorithm"), alg);
});

t.test("subjects are bounded and harmless", async (t) => {
  for (const good of [subject, "user@example.com", "auth0|5f7c", "a/b", "x".repeat(255), "client-1.a_b=+"])
    t.equal(requireSubject(good), good);
  for (const bad of [
    "",
    " a",
    "a b",
    "a\n",
    "a\u0000",
    "-a",
    ":a",
    "x".repeat(256),
    "ä",
    "a<b>",
    'a"',
    undefined,
    1,
    ["a"],
  ])
    t.throws(() => requireSubject(bad), refused("bad_subject"), JSON.stringify(bad));
});
