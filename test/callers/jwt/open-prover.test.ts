import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import t, { type Test } from "tap";
import { Health } from "../../../src/callers/jwt/health.ts";
import { type IssuerConfig, issuerConfig } from "../../../src/callers/jwt/issuer-config.ts";
import { readJwt } from "../../../src/callers/jwt/jwt.ts";
import { openProver, proofConfigOf } from "../../../src/callers/jwt/open-prover.ts";
import { defaultTunables, type Prover } from "../../../src/callers/jwt/prover.ts";
import { makeAuthority, startApiServer } from "./api-server.ts";
import { audience, issuer, mint, newKey, refused, subject } from "./tokens.ts";

const key = await newKey("one", "RS256");
const authority = makeAuthority(t);
const failures: string[] = [];

function open(t: Test, source: object): { prover: Prover; config: IssuerConfig } {
  const config = issuerConfig.parse({ name: "cluster", issuer, audiences: [audience], ...source });
  const health = new Health("cluster", {
    onFailure: (name, problem) => void failures.push(`${name}: ${problem}`),
  });
  const prover = openProver(proofConfigOf(config), defaultTunables, health);
  t.teardown(() => prover.close());
  return { prover, config };
}

t.test(
  "each source proves a token, over HTTPS with the cluster's authority and the gateway's token",
  async (t) => {
    const api = await startApiServer(t, { ...authority, bearer: "gateway", keys: [key] });
    const folder = t.testdir({ token: "gateway\n", keys: JSON.stringify({ keys: [key.jwk] }) });
    const files = { ca_file: authority.caFile, bearer_token_file: join(folder, "token") };
    const token = readJwt(await mint(key));
    for (const source of [
      { jwks_uri: api.jwksUri, ...files },
      { jwks_file: join(folder, "keys") },
      { token_review: { api_server: api.url, ...files } },
    ]) {
      const { prover, config } = open(t, source);
      t.equal(await prover.prove(token, config, Date.now()), subject, Object.keys(source).join());
    }
    t.equal(api.requests(), 2);
    t.strictSame(failures.splice(0), []);
  },
);

t.test("files that cannot be used are told by name, and nothing is sent", async (t) => {
  const api = await startApiServer(t, { keys: [key] });
  const missing = join(t.testdir(), "missing");
  const token = readJwt(await mint(key));
  for (const [source, problem] of [
    [{ jwks_uri: api.jwksUri, ca_file: missing }, /^cluster: ca_file: ENOENT/],
    [
      { token_review: { api_server: api.url, bearer_token_file: missing } },
      /^cluster: bearer_token_file: ENOENT/,
    ],
    [{ jwks_file: missing }, /^cluster: jwks_file: ENOENT/],
  ] as const) {
    const { prover, config } = open(t, source);
    await t.rejects(prover.prove(token, config, Date.now()), { name: "JwtUnavailable" });
    t.match(failures.splice(0), [problem], "told once");
  }
  t.equal(api.requests(), 0);
});

t.test("what says how tokens are proved is told apart from what they must say", async (t) => {
  const config = issuerConfig.parse({ name: "cluster", issuer, audiences: [audience], jwks_file: "/keys" });
  t.strictSame(
    proofConfigOf({ ...config, audiences: ["other"], clock_skew_seconds: 0, algorithms: ["EdDSA"] }),
    proofConfigOf(config),
  );
  t.notSame(proofConfigOf({ ...config, jwks_file: "/other" }), proofConfigOf(config));
});

t.test("an account that is gone is known to the API server alone", async (t) => {
  const api = await startApiServer(t, { keys: [key] });
  api.gone.add(subject);
  const token = readJwt(await mint(key));
  const bySignature = open(t, { jwks_uri: api.jwksUri });
  t.equal(await bySignature.prover.prove(token, bySignature.config, Date.now()), subject);
  const byReview = open(t, { token_review: { api_server: api.url } });
  await t.rejects(byReview.prover.prove(token, byReview.config, Date.now()), refused("not_authenticated"));
});

t.test("a projected token's file, written as the kubelet does", async (t) => {
  const api = await startApiServer(t, { keys: [key], bearer: "gateway" });
  const path = join(t.testdir(), "token");
  await writeFile(path, "gateway");
  const { prover, config } = open(t, { jwks_uri: api.jwksUri, bearer_token_file: path });
  t.equal(await prover.prove(readJwt(await mint(key)), config, Date.now()), subject);
});
