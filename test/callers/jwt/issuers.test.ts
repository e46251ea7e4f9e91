import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { inspect } from "node:util";
import { exportSPKI, SignJWT } from "jose";
import t, { type Test } from "tap";
import { type IssuerConfig, issuerConfigs } from "../../../src/callers/jwt/issuer-config.ts";
import { Issuers } from "../../../src/callers/jwt/issuers.ts";
import type { Tunables } from "../../../src/callers/jwt/prover.ts";
import { eventually } from "../../config/eventually.ts";
import { type ApiServer, makeAuthority, startApiServer } from "./api-server.ts";
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

const authority = makeAuthority(t);
const stranger = makeAuthority(t);
const [one, two, oidc] = await Promise.all([
  newKey("one", "RS256"),
  newKey("two", "RS256"),
  newKey("oidc", "ES256"),
]);
const never = 3_600_000;

function config(source: object, changes: object = {}): IssuerConfig[] {
  return issuerConfigs.parse([{ name: "cluster", issuer, audiences: [audience], ...source, ...changes }]);
}

interface Setup {
  readonly tunables?: Partial<Tunables>;
  readonly now?: () => number;
}

function open(t: Test, configs: readonly IssuerConfig[], setup: Setup = {}) {
  const told: string[] = [];
  let fetches = 0;
  const issuers = new Issuers({
    ...setup,
    onFetch: () => {
      fetches += 1;
    },
    onFailure: (name, problem) => void told.push(`${name}: ${problem}`),
    onRecovered: (name) => void told.push(`${name} recovered`),
  });
  issuers.configure(configs);
  t.teardown(() => issuers.close());
  return { issuers, told, fetches: () => fetches };
}

const unavailable = { name: "JwtUnavailable", error: "authentication_unavailable", issuer: "cluster" };

t.test("a service account's token, over HTTPS with the cluster's authority", async (t) => {
  const api = await startApiServer(t, { ...authority, bearer: "gateway", keys: [one] });
  const folder = t.testdir({ token: "gateway" });
  const files = { ca_file: authority.caFile, bearer_token_file: join(folder, "token") };
  for (const source of [
    { jwks_uri: api.jwksUri, ...files },
    { token_review: { api_server: api.url, ...files } },
  ]) {
    const { issuers, told, fetches } = open(t, config(source));
    const exp = nowSeconds() + 600;
    t.strictSame(await issuers.verify(await mint(one, { exp })), {
      issuer: "cluster",
      subject,
      expiresAt: (exp + 30) * 1000,
    });
    t.equal(fetches(), 1);
    t.strictSame(told, []);
  }
});

t.test("two issuers, each with its own keys", async (t) => {
  const api = await startApiServer(t, { keys: [one] });
  const other = await startApiServer(t, { keys: [oidc] });
  const login = { issuer: "https://login.example", name: "login", algorithms: ["ES256"] };
  const configs = [...config({ jwks_uri: api.jwksUri }), ...config({ jwks_uri: other.jwksUri }, login)];
  const { issuers } = open(t, configs);
  const claims = { iss: login.issuer, sub: "client-1" };
  t.match(await issuers.verify(await mint(one)), { issuer: "cluster", subject });
  t.match(await issuers.verify(await mint(oidc, claims)), { issuer: "login", subject: "client-1" });
  await t.rejects(
    issuers.verify(await mint(oidc)),
    refused("algorithm"),
    "a key of one in the name of the other",
  );
  await t.rejects(issuers.verify(await mint(one, claims)), refused("algorithm"));
  await t.rejects(
    issuers.verify(await mint(one, { iss: "https://evil.example" })),
    refused("unknown_issuer"),
  );
  await t.rejects(issuers.verify(await mint(one, { iss: `${issuer}/` })), refused("unknown_issuer"));
});

t.test("bad tokens are refused whichever way good ones are proved, and never quoted", async (t) => {
  const api = await startApiServer(t, { keys: [one] });
  const pem = await exportSPKI(one.publicKey);
  const now = nowSeconds();
  const hs256 = new SignJWT(claimsOf())
    .setProtectedHeader({ alg: "HS256", kid: "one" })
    .sign(Buffer.from(pem));
  const token = await mint(one);
  const [head = "", , signature = ""] = token.split(".");
  const admin = Buffer.from(JSON.stringify(claimsOf({ sub: "system:admin" }))).toString("base64url");
  const cases: [what: string, token: string, reason: Parameters<typeof refused>[0]][] = [
    ["alg none, with a signature", rawToken({ alg: "none" }, claimsOf()), "algorithm"],
    ["alg none, without", `${rawToken({ alg: "none" }, claimsOf()).replace(/[^.]*$/, "")}`, "malformed"],
    ["HS256 with the public key", await hs256, "algorithm"],
    ["1 MB", `${head}.${"A".repeat(1024 * 1024)}.${signature}`, "too_long"],
    ["a nested JWT", await mint(one, {}, { cty: "JWT" }), "nested"],
    [
      "duplicate claims",
      rawToken({ alg: "RS256", kid: "one" }, `{"iss":"${issuer}","sub":"a","sub":"b"}`),
      "duplicate_member",
    ],
    ["another audience", await mint(one, { aud: "https://kubernetes.default.svc" }), "wrong_audience"],
    ["another issuer", await mint(one, { iss: "https://other.example" }), "unknown_issuer"],
    ["expired beyond the skew", await mint(one, { exp: now - 31 }), "expired"],
    ["not yet valid beyond the skew", await mint(one, { nbf: now + 60 }), "not_yet_valid"],
    ["no subject", await mint(one, { sub: undefined }), "missing_claim"],
    ["a subject with a line break", await mint(one, { sub: "a\nb" }), "bad_subject"],
  ];
  for (const source of [{ jwks_uri: api.jwksUri }, { token_review: { api_server: api.url } }]) {
    const { issuers } = open(t, config(source));
    t.match(await issuers.verify(token), { subject });
    const before = api.requests();
    for (const [what, bad, reason] of cases) {
      const error = await issuers.verify(bad).catch((caught) => caught);
      t.match(error, refused(reason), what);
      const printed = inspect(error, { depth: 9, showHidden: true });
      for (const part of bad.split(".").filter((part) => part.length > 20))
        t.notOk(printed.includes(part), what);
    }
    t.equal(api.requests(), before, "and nobody was asked about them");
    const forged = jwksOnly(source) ? "bad_signature" : "not_authenticated";
    await t.rejects(issuers.verify(`${head}.${admin}.${signature}`), refused(forged), "changed claims");
    const unknown = jwksOnly(source) ? "unknown_key" : "not_authenticated";
    await t.rejects(issuers.verify(await mint(two)), refused(unknown), "a key of nobody");
  }
});

const jwksOnly = (source: object) => "jwks_uri" in source;

t.test("30 s of skew to the second, by signature", async (t) => {
  const api = await startApiServer(t, { keys: [one] });
  const now = 1_900_000_000;
  const { issuers } = open(t, config({ jwks_uri: api.jwksUri }), { now: () => now * 1000 + 500 });
  const at = (exp: number, nbf: number) => mint(one, { exp: now + exp, nbf: now + nbf, iat: now });
  t.ok(await issuers.verify(await at(-29, -60)));
  await t.rejects(issuers.verify(await at(-30, -60)), refused("expired"));
  t.ok(await issuers.verify(await at(60, 30)));
  await t.rejects(issuers.verify(await at(60, 31)), refused("not_yet_valid"));
});

t.test("100 that come before the first keys share one fetch", async (t) => {
  const api = await startApiServer(t, { keys: [one] });
  const { issuers } = open(t, config({ jwks_uri: api.jwksUri }));
  const token = await mint(one);
  const all = await Promise.all(Array.from({ length: 100 }, () => issuers.verify(token)));
  t.ok(all.every((identity) => identity.subject === subject));
  t.equal(api.requests(), 1);
});

t.test("1,000 made-up key ids within a cool-down: one fetch", async (t) => {
  const api = await startApiServer(t, { keys: [one] });
  const { issuers } = open(t, config({ jwks_uri: api.jwksUri }), { tunables: { coolDownMs: never } });
  t.ok(await issuers.verify(await mint(one)));
  for (let at = 0; at < 1000; at++) {
    const token = rawToken({ alg: "RS256", kid: `random ${at}` }, claimsOf());
    const error = await issuers.verify(token).catch((caught) => caught);
    if (error.reason !== "unknown_key") t.match(error, refused("unknown_key"));
  }
  t.equal(api.requests(), 1);
});

t.test("rotation: a new key after one fetch, a removed one refused after a refresh", async (t) => {
  const api = await startApiServer(t, { keys: [one] });
  const { issuers } = open(t, config({ jwks_uri: api.jwksUri }), { tunables: { coolDownMs: 0 } });
  t.ok(await issuers.verify(await mint(one)));
  api.keys = [one, two];
  const token = await mint(two);
  await Promise.all(Array.from({ length: 50 }, () => issuers.verify(token)));
  t.equal(api.requests(), 2, "exactly one fetch for all");
  t.ok(await issuers.verify(await mint(one)), "both keys serve");
  const refreshing = open(t, config({ jwks_uri: api.jwksUri }), { tunables: { refreshMs: 30 } });
  t.ok(await refreshing.issuers.verify(await mint(one)));
  api.keys = [two];
  const before = refreshing.fetches();
  await eventually("two refreshes", () => refreshing.fetches() >= before + 2);
  await t.rejects(refreshing.issuers.verify(await mint(one)), refused("unknown_key"));
  t.ok(await refreshing.issuers.verify(token));
});

const faults: Record<string, NonNullable<ApiServer["behave"]>> = {
  "a reset": (request) => void request.socket.resetAndDestroy(),
  "an error": (_, response) => void response.writeHead(500).end("{}"),
  "an HTML page": (_, response) => void response.end("<html>login</html>"),
  "a redirect": (_, response) => void response.writeHead(302, { location: "/openid/v1/keys" }).end(),
  "a huge reply": (_, response) => void response.end(`{"keys":[${" ".repeat(1024 * 1024)}]}`),
  "an empty set": (_, response) => void response.end('{"keys":[]}'),
  silence: () => undefined,
};

t.test(
  "whatever the keys' endpoint does, the last good keys serve, and it is told and recovers",
  async (t) => {
    const api = await startApiServer(t, { keys: [one] });
    const tunables = { refreshMs: 20, backOffMs: 20, maxBackOffMs: 20, timeoutMs: 2_000 };
    const { issuers, told } = open(t, config({ jwks_uri: api.jwksUri }), { tunables });
    const [token, unknown] = [await mint(one), await mint(two)];
    t.ok(await issuers.verify(token));
    for (const [what, behave] of Object.entries(faults)) {
      told.length = 0;
      api.behave = behave;
      await eventually(`${what}: trouble`, () => told.length);
      t.strictSame(issuers.inTrouble(), ["cluster"]);
      t.match(await issuers.verify(token), { subject }, what);
      await t.rejects(
        issuers.verify(unknown),
        unavailable,
        `${what}: nobody can tell whether a new key is good`,
      );
      api.behave = undefined;
      await eventually(`${what}: recovery`, () => told.includes("cluster recovered"));
      t.strictSame(issuers.inTrouble(), []);
    }
  },
);

t.test("without any keys a fault is a 503, never a 401", async (t) => {
  for (const [what, behave] of Object.entries(faults)) {
    const api = await startApiServer(t, { keys: [one] });
    api.behave = behave;
    for (const source of [{ jwks_uri: api.jwksUri }, { token_review: { api_server: api.url } }]) {
      const { issuers } = open(t, config(source), { tunables: { timeoutMs: 500 } });
      await t.rejects(issuers.verify(await mint(one)), unavailable, what);
    }
  }
});

t.test("a server that the cluster's authority does not know is not believed", async (t) => {
  const api = await startApiServer(t, { ...stranger, keys: [one] });
  const ca_file = authority.caFile;
  for (const source of [
    { jwks_uri: api.jwksUri, ca_file },
    { token_review: { api_server: api.url, ca_file } },
  ]) {
    const { issuers } = open(t, config(source));
    await t.rejects(issuers.verify(await mint(one)), {
      ...unavailable,
      problem: "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
    });
  }
  t.equal(api.requests(), 0);
});

t.test("keys end after their bound while the endpoint is gone, and come back with it", async (t) => {
  const first = await startApiServer(t, { keys: [one] });
  const tunables = { refreshMs: 20, backOffMs: 20, maxBackOffMs: 20, keepKeysMs: 1_500 };
  const { issuers } = open(t, config({ jwks_uri: first.jwksUri }), { tunables });
  const token = await mint(one);
  t.ok(await issuers.verify(token));
  await first.stop();
  const error = await eventually("the bound", () =>
    issuers.verify(token).then(
      () => undefined,
      (caught) => caught,
    ),
  );
  t.match(error, unavailable);
  await startApiServer(t, { keys: [one], port: Number(new URL(first.url).port) });
  await eventually("recovery", () => issuers.verify(token).catch(() => undefined));
});

t.test("API server down: a kept yes serves for its time, then 503, and it recovers", async (t) => {
  const api = await startApiServer(t, { keys: [one] });
  const tunables = { positiveMs: 2_000, backOffMs: 20, maxBackOffMs: 20 };
  const { issuers } = open(t, config({ token_review: { api_server: api.url } }), { tunables });
  const [token, other] = [await mint(one), await mint(one, { jti: "other" })];
  t.match(await issuers.verify(token), { subject });
  api.behave = (request) => void request.socket.resetAndDestroy();
  await t.rejects(issuers.verify(other), unavailable);
  t.match(await issuers.verify(token), { subject });
  await sleep(2_010);
  await t.rejects(issuers.verify(token), unavailable);
  api.behave = undefined;
  await eventually("recovery", () => issuers.verify(token).catch(() => undefined));
});

t.test("a kept yes does not outlive the token", async (t) => {
  const api = await startApiServer(t, { keys: [one] });
  let now = Date.now();
  const { issuers } = open(t, config({ token_review: { api_server: api.url } }), { now: () => now });
  const token = await mint(one, { exp: nowSeconds() + 20 });
  t.match(await issuers.verify(token), { subject });
  now += 60_000;
  await t.rejects(issuers.verify(token), refused("expired"));
});

t.test("a new callers file: what stays keeps its keys, what goes is closed", async (t) => {
  const api = await startApiServer(t, { keys: [one] });
  const other = await startApiServer(t, { keys: [one] });
  const { issuers } = open(t, config({ jwks_uri: api.jwksUri }));
  const token = await mint(one);
  t.ok(await issuers.verify(token));
  issuers.configure(config({ jwks_uri: api.jwksUri }));
  t.ok(await issuers.verify(token));
  issuers.configure(config({ jwks_uri: api.jwksUri }, { audiences: ["other"] }));
  await t.rejects(issuers.verify(token), refused("wrong_audience"), "the new rules count at once");
  issuers.configure(config({ jwks_uri: api.jwksUri }, { issuer: "https://renamed.example" }));
  t.ok(await issuers.verify(await mint(one, { iss: "https://renamed.example" })));
  t.equal(api.requests(), 1, "all with the keys that were there");
  issuers.configure(config({ jwks_uri: other.jwksUri }));
  t.ok(await issuers.verify(token));
  t.equal(other.requests(), 1);
  issuers.configure([]);
  await t.rejects(issuers.verify(token), refused("unknown_issuer"));
});

t.test("the trouble of an issuer that is replaced is not that of its successor", async (t) => {
  const api = await startApiServer(t, { keys: [one] });
  const gone = await startApiServer(t);
  await gone.stop();
  const { issuers } = open(t, config({ jwks_uri: gone.jwksUri }));
  await t.rejects(issuers.verify(await mint(one)), unavailable);
  t.strictSame(issuers.inTrouble(), ["cluster"]);
  issuers.configure(config({ jwks_uri: api.jwksUri }));
  t.ok(await issuers.verify(await mint(one)));
  t.strictSame(issuers.inTrouble(), []);
});

t.test("a token being verified keeps the configuration it began with", async (t) => {
  const api = await startApiServer(t, { keys: [one] });
  const { promise: held, resolve: release } = Promise.withResolvers<void>();
  api.behave = async (_, response) => {
    await held;
    response.end(JSON.stringify({ keys: [one.jwk] }));
  };
  const { issuers } = open(t, config({ jwks_uri: api.jwksUri }), {
    tunables: { timeoutMs: 60_000, refreshMs: 10 },
  });
  const token = await mint(one);
  const verifying = [issuers.verify(token), issuers.verify(token)];
  await eventually("the fetch", () => api.requests() === 1);
  issuers.configure([]);
  await t.rejects(issuers.verify(token), refused("unknown_issuer"));
  release();
  for (const identity of await Promise.all(verifying)) t.match(identity, { issuer: "cluster", subject });
  await sleep(50);
  const before = api.requests();
  await sleep(100);
  t.equal(api.requests(), before, "then it is closed");
});

t.test("a dropped issuer is asked no more", async (t) => {
  const api = await startApiServer(t, { keys: [one] });
  const { issuers } = open(t, config({ jwks_uri: api.jwksUri }), { tunables: { refreshMs: 10 } });
  await issuers.verify(await mint(one));
  issuers.configure([]);
  await sleep(50);
  const before = api.requests();
  await sleep(100);
  t.equal(api.requests(), before);
});

t.test("close cuts what is under way", async (t) => {
  const api = await startApiServer(t, { keys: [one] });
  api.behave = () => undefined;
  const { issuers, told } = open(t, config({ jwks_uri: api.jwksUri }), { tunables: { timeoutMs: never } });
  const cut = t.rejects(issuers.verify(await mint(one)), unavailable);
  await eventually("the fetch", () => api.requests() === 1);
  await issuers.close();
  await cut;
  t.strictSame(told, [], "without an alarm");
  await issuers.close();
});

t.test("keys from a file, with nobody listening and the defaults", async (t) => {
  const path = join(t.testdir(), "keys.json");
  await writeFile(path, JSON.stringify({ keys: [one.jwk] }));
  const issuers = new Issuers();
  t.teardown(() => issuers.close());
  await t.rejects(issuers.verify(await mint(one)), refused("unknown_issuer"));
  issuers.configure(config({ jwks_file: path }));
  t.match(await issuers.verify(await mint(one)), { issuer: "cluster", subject });
});
