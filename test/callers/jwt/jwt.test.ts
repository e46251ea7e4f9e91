import t from "tap";
import { looksLikeJwt, readJwt } from "../../../src/callers/jwt/jwt.ts";
import type { JwtRefusal } from "../../../src/callers/jwt/refused.ts";
import { claimsOf, issuer, mint, newKey, rawToken, refused } from "./tokens.ts";

const header = { alg: "RS256", kid: "one" };

t.test("three parts look like a JWT", async (t) => {
  for (const [credential, looks] of [
    ["a.b.c", true],
    ["eyJ_-.eyJ.sig", true],
    ["a.b", false],
    ["a.b.", false],
    ["a..c", false],
    [".b.c", false],
    ["a.b.c.d.e", false],
    ["a.b.c=", false],
    ["a.b.c\n", false],
    ["cgw_billing_0123456789", false],
    ["", false],
  ] as const)
    t.equal(looksLikeJwt(credential), looks, credential);
});

t.test("looking takes linear time", async (t) => {
  const started = performance.now();
  for (const long of ["a".repeat(2e6), ".".repeat(2e6), "a.".repeat(1e6), `a.b.${"c".repeat(2e6)}!`])
    looksLikeJwt(long);
  t.ok(performance.now() - started < 10_000);
});

t.test("a token is taken apart", async (t) => {
  const key = await newKey("one");
  const token = await mint(key);
  const jwt = readJwt(token);
  t.match(jwt, { token, algorithm: "ES256", keyId: "one", issuer });
  t.match(jwt.claims, { iss: issuer });
  t.equal(readJwt(rawToken({ alg: "RS256" }, claimsOf())).keyId, undefined);
});

t.test("tokens that no honest issuer makes", async (t) => {
  const claims = claimsOf();
  const valid = rawToken(header, claims);
  const cases: [reason: JwtRefusal, what: string, token: string][] = [
    ["too_long", "1 MB", `${valid}${"A".repeat(1024 * 1024)}`],
    ["too_long", "one character too many", valid + "A".repeat(8193 - valid.length)],
    ["malformed", "empty", ""],
    ["malformed", "no signature", valid.slice(0, valid.lastIndexOf(".") + 1)],
    ["malformed", "five parts, as of an encrypted one", "a.b.c.d.e"],
    ["malformed", "an array for a header", rawToken([], claims)],
    ["malformed", "a text for claims", rawToken(header, '"text"')],
    ["malformed", "no JSON in the header", rawToken("{", claims)],
    ["malformed", "no JSON in the claims", rawToken(header, "{")],
    [
      "malformed",
      "a second way to write the last character",
      `${rawToken(header, claims)}`.replace(/c2ln$/, "c2m"),
    ],
    ["malformed", "one letter too many to be bytes", `${rawToken(header, claims)}A`],
    ["malformed", "no algorithm", rawToken({ kid: "one" }, claims)],
    ["malformed", "a key id that is a number", rawToken({ alg: "RS256", kid: 1 }, claims)],
    ["malformed", "a key id that is null", rawToken({ alg: "RS256", kid: null }, claims)],
    ["malformed", "a JWT for claims", rawToken(header, valid)],
    ["nested", "said to be a nested JWT", rawToken({ ...header, cty: "JWT" }, claims)],
    ["nested", "said in another spelling", rawToken({ ...header, cty: "application/jwt" }, claims)],
    [
      "critical_header",
      "a header field that must be understood",
      rawToken({ ...header, crit: ["b64"], b64: false }, claims),
    ],
    ["critical_header", "none that must be", rawToken({ ...header, crit: null }, claims)],
    ["unknown_issuer", "no issuer", rawToken(header, claimsOf({ iss: undefined }))],
    ["unknown_issuer", "a list of issuers", rawToken(header, claimsOf({ iss: [issuer] }))],
    ["duplicate_member", "two algorithms", rawToken('{"alg":"RS256","alg":"none"}', claims)],
    ["duplicate_member", "two subjects", rawToken(header, '{"iss":"a","sub":"a","s\\u0075b":"b"}')],
  ];
  for (const [reason, what, token] of cases) {
    const error = t.throws(() => readJwt(token), refused(reason), what) as Error;
    t.ok(error.message.length < 60, "the token is not quoted");
  }
  t.ok(readJwt(rawToken({ ...header, cty: "json" }, claims)), "another content type is no matter");
});
