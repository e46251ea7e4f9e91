import { readFileSync } from "node:fs";
import t from "tap";
import { issuerConfig, issuerConfigs } from "../../../src/callers/jwt/issuer-config.ts";
import { parsePolicy } from "../../../src/callers/policy.ts";

const least = {
  name: "cluster",
  issuer: "https://kubernetes.default.svc.cluster.local",
  audiences: ["https://gateway.example"],
  jwks_uri: "https://kubernetes.default.svc/openid/v1/jwks",
};

/** The mistakes found, as lines. */
function mistakes(entry: unknown): string[] {
  const { error } = issuerConfig.safeParse(entry);
  return (error?.issues ?? []).map(({ path, message }) => `${path.join(".")}: ${message}`);
}

t.test("defaults", async (t) => {
  t.strictSame(issuerConfig.parse(least), {
    ...least,
    algorithms: ["RS256"],
    required_claims: [],
    clock_skew_seconds: 30,
  });
});

t.test("each source of keys is taken alone", async (t) => {
  const { jwks_uri, ...rest } = least;
  for (const source of [
    { jwks_uri, ca_file: "/ca.crt", bearer_token_file: "/token" },
    { jwks_uri: "https://login.example/keys?policy=a" },
    { jwks_uri: "http://127.0.0.1:8080/keys" },
    { jwks_uri: "http://localhost:8080/keys" },
    { jwks_uri: "http://[::1]:8080/keys" },
    { jwks_file: "/keys.json" },
    { token_review: { api_server: "https://kubernetes.default.svc" } },
    { token_review: { api_server: "https://[2001:db8::1]:6443", ca_file: "/ca", bearer_token_file: "/t" } },
  ])
    t.strictSame(mistakes({ ...rest, ...source }), [], JSON.stringify(source));
  for (const source of [
    {},
    { jwks_uri, jwks_file: "/keys.json" },
    { jwks_file: "/keys.json", token_review: { api_server: "https://kubernetes.default.svc" } },
  ])
    t.strictSame(
      mistakes({ ...rest, ...source }),
      [": must have exactly one of jwks_uri, jwks_file and token_review"],
      JSON.stringify(source),
    );
});

t.test("a server's path is kept and its last slash is not", async (t) => {
  const { jwks_uri: _, ...rest } = least;
  const parsed = issuerConfig.parse({
    ...rest,
    token_review: { api_server: "https://proxy.example/k8s/a/" },
  });
  t.equal(parsed.token_review?.api_server, "https://proxy.example/k8s/a");
});

t.test("symmetric algorithms and none are refused by name", async (t) => {
  for (const algorithm of ["HS256", "HS512", "none", "None", "rs256", "RSA-OAEP", "", 7, null]) {
    const [line, ...more] = mistakes({ ...least, algorithms: [algorithm] });
    t.match(
      line,
      new RegExp(
        `^algorithms\\.0: ${JSON.stringify(algorithm)} is not allowed; .*public key by RS256, .*EdDSA$`,
      ),
    );
    t.strictSame(more, []);
  }
  t.match(mistakes({ ...least, algorithms: [undefined] }), [/undefined is not allowed/]);
  t.strictSame(mistakes({ ...least, algorithms: [] }), ["algorithms: must name an algorithm"]);
  t.strictSame(mistakes({ ...least, algorithms: ["RS256", "ES384", "PS512", "EdDSA"] }), []);
});

t.test("mistakes and what is said of them", async (t) => {
  const url = "must be an https:// URL (http:// on loopback only) without user and fragment";
  const cases: [change: Record<string, unknown>, line: string | RegExp][] = [
    [{ name: "Cluster" }, "name: must be 1 to 63 of a-z, 0-9 and -, with no - at either end"],
    [{ issuer: "" }, "issuer: must not be empty"],
    [{ audiences: [] }, /^audiences: must name the audience of this gateway/],
    [{ audiences: [""] }, "audiences.0: must not be empty"],
    [{ audiences: "one" }, /^audiences: .*expected array/],
    [{ jwks_uri: "http://keys.example/" }, `jwks_uri: ${url}`],
    [{ jwks_uri: "http://127.0.0.1.example/" }, `jwks_uri: ${url}`],
    [{ jwks_uri: "ftp://127.0.0.1/" }, `jwks_uri: ${url}`],
    [{ jwks_uri: "file:///etc/keys" }, `jwks_uri: ${url}`],
    [{ jwks_uri: "keys.example" }, `jwks_uri: ${url}`],
    [{ jwks_uri: "https://user@keys.example/" }, `jwks_uri: ${url}`],
    [{ jwks_uri: "https://:pass@keys.example/" }, `jwks_uri: ${url}`],
    [{ jwks_uri: "https://keys.example/#a" }, `jwks_uri: ${url}`],
    [{ ca_file: "" }, "ca_file: must name a file"],
    [{ clock_skew_seconds: 301 }, "clock_skew_seconds: must be between 0 and 300"],
    [{ clock_skew_seconds: -1 }, "clock_skew_seconds: must be between 0 and 300"],
    [{ clock_skew_seconds: 1.5 }, "clock_skew_seconds: must be a whole number of seconds"],
    [{ required_claims: [""] }, "required_claims.0: must not be empty"],
    [{ jwks_url: "x" }, /Unrecognized key: "jwks_url"/],
  ];
  for (const [change, line] of cases)
    t.match(mistakes({ ...least, ...change }), [line], JSON.stringify(change));
  const { jwks_uri: _, ...rest } = least;
  for (const stray of [{ ca_file: "/ca" }, { bearer_token_file: "/t" }])
    t.strictSame(mistakes({ ...rest, jwks_file: "/k", ...stray }), [
      ": ca_file and bearer_token_file go with jwks_uri; those for a token_review stand inside it",
    ]);
  t.strictSame(mistakes({ ...rest, token_review: { api_server: "https://a.example/?b" } }), [
    "token_review.api_server: must not have a query",
  ]);
  t.match(mistakes({ ...rest, token_review: { api_server: "http://a.example/" } }), [
    /api_server: must be an https/,
  ]);
  t.match(mistakes({ ...rest, token_review: { api_server: "https://a.example", x: 1 } }), [
    /Unrecognized key/,
  ]);
});

t.test("names differ, and so do issuers", async (t) => {
  const other = { ...least, name: "other", issuer: "https://other.example" };
  t.ok(issuerConfigs.safeParse([least, other]).success);
  t.match(issuerConfigs.safeParse([least, other, { ...other, name: "cluster" }]).error?.issues, [
    { path: [2, "name"], message: "stands in the file twice" },
    { path: [2, "issuer"], message: "stands in the file twice" },
  ]);
});

t.test("the examples of the documentation are callers files", async (t) => {
  const page = readFileSync(new URL("../../../docs/kubernetes-callers.md", import.meta.url), "utf8");
  const examples = [...page.matchAll(/```yaml\n(issuers:[\s\S]*?)```/g)].map(([, text = ""]) => text);
  t.equal(examples.length, 3);
  for (const text of examples) {
    const { issuers } = parsePolicy(text.includes("callers:") ? text : `${text}callers: []`);
    t.equal(issuers.length, 1);
  }
});
