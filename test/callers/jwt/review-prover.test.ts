import { setTimeout as sleep } from "node:timers/promises";
import t, { type Test } from "tap";
import { Health } from "../../../src/callers/jwt/health.ts";
import { type IssuerConfig, issuerConfig } from "../../../src/callers/jwt/issuer-config.ts";
import { type Jwt, readJwt } from "../../../src/callers/jwt/jwt.ts";
import { defaultTunables, type Tunables } from "../../../src/callers/jwt/prover.ts";
import { ReviewProver } from "../../../src/callers/jwt/review-prover.ts";
import { eventually } from "../../config/eventually.ts";
import { audience, claimsOf, issuer, rawToken, refused, subject } from "./tokens.ts";

const config: IssuerConfig = issuerConfig.parse({
  name: "cluster",
  issuer,
  audiences: [audience],
  token_review: { api_server: "https://kubernetes.default.svc" },
});
const yes = { authenticated: true, user: { username: subject }, audiences: [audience] };

/** Each number gives another token. */
const tokenOf = (number: number): Jwt =>
  readJwt(rawToken({ alg: "RS256", kid: "k" }, claimsOf({ jti: String(number) })));

/** A prover whose questions a test counts and answers; HTTP itself is tested with the issuers. */
function open(tunables: Partial<Tunables>, statusOf: (question: number) => unknown) {
  const state = { questions: 0, closed: 0 };
  const asked: unknown[] = [];
  const health = new Health("cluster", {});
  const prover = new ReviewProver({
    issuer: "cluster",
    post: async (review) => {
      state.questions += 1;
      asked.push(review);
      return Buffer.from(JSON.stringify({ kind: "TokenReview", status: await statusOf(state.questions) }));
    },
    close: async () => {
      state.closed += 1;
    },
    health,
    tunables: { ...defaultTunables, ...tunables },
  });
  const prove = (number: number, changes: Partial<IssuerConfig> = {}) =>
    prover.prove(tokenOf(number), { ...config, ...changes });
  return { prover, prove, state, asked, health };
}

const unavailable = { name: "JwtUnavailable", issuer: "cluster" };
const down = () => Promise.reject(new Error("ECONNREFUSED"));

async function rejected(t: Test, promise: Promise<unknown>, like: object): Promise<void> {
  await promise.then(
    () => t.fail("was not rejected"),
    (error: unknown) => t.match(error, like),
  );
}

t.test("the question, and that it is asked once for a token", async (t) => {
  const { prover, prove, state, asked } = open({}, () => yes);
  t.equal(await prove(1), subject);
  t.equal(await prove(1), subject);
  t.strictSame(asked, [
    {
      apiVersion: "authentication.k8s.io/v1",
      kind: "TokenReview",
      spec: { token: tokenOf(1).token, audiences: [audience] },
    },
  ]);
  await prove(2);
  t.equal(state.questions, 2);
  await prover.close();
  t.equal(state.closed, 1);
});

t.test("100 at one time with the same token ask once", async (t) => {
  const { prove, state } = open({}, async () => yes);
  t.strictSame(new Set(await Promise.all(Array.from({ length: 100 }, () => prove(1)))), new Set([subject]));
  t.equal(state.questions, 1);
});

t.test("a verdict for other audiences is none for these", async (t) => {
  const { prove, state } = open({}, () => yes);
  await prove(1);
  await rejected(t, prove(1, { audiences: ["other"] }), refused("wrong_audience"));
  t.equal(state.questions, 2);
});

t.test("a yes serves for a bounded time, also while the API server is down", async (t) => {
  const { prove, state } = open(
    { positiveMs: 1_000, backOffMs: 3_600_000, maxBackOffMs: 3_600_000 },
    (question) => (question === 1 ? yes : down()),
  );
  t.equal(await prove(1), subject);
  await rejected(t, prove(2), unavailable);
  t.equal(await prove(1), subject, "the kept yes");
  await sleep(1_010);
  await rejected(t, prove(1), { ...unavailable, problem: "ECONNREFUSED" });
  t.equal(state.questions, 2, "and the back-off was kept");
});

t.test("a no is kept for a while", async (t) => {
  let status: unknown = { user: {}, error: "[invalid bearer token]" };
  const { prove, state } = open({ negativeMs: 1_000 }, () => status);
  for (let at = 0; at < 20; at++) await rejected(t, prove(1), refused("not_authenticated"));
  t.equal(state.questions, 1);
  status = yes;
  await eventually("the new verdict", () => prove(1).catch(() => undefined));
  t.equal(state.questions, 2);
});

t.test("with the API server down everybody is told so, and it is left alone in between", async (t) => {
  const { prove, state, health } = open({ backOffMs: 3_600_000, maxBackOffMs: 3_600_000 }, down);
  for (let at = 0; at < 50; at++) await rejected(t, prove(at), { ...unavailable, problem: "ECONNREFUSED" });
  t.equal(state.questions, 1);
  t.equal(health.problemOf("endpoint"), "ECONNREFUSED");
});

t.test("it comes back alone", async (t) => {
  const { prove, health } = open({ backOffMs: 20 }, (question) => (question < 4 ? down() : yes));
  await rejected(t, prove(1), unavailable);
  await eventually("the API server", () => prove(1).catch(() => undefined));
  t.equal(health.problemOf("endpoint"), undefined);
});

t.test("an answer that is none is trouble of the API server, not of the caller", async (t) => {
  const { prove } = open({}, () => ({ authenticated: "yes" }));
  await rejected(t, prove(1), { ...unavailable, problem: "the reply is no TokenReview with a status" });
});

t.test("questions under way are bounded", async (t) => {
  const { promise, resolve } = Promise.withResolvers<unknown>();
  const { prove, state } = open({ maxReviews: 5 }, () => promise);
  const first = Array.from({ length: 5 }, (_, at) => prove(at));
  const again = prove(4);
  await rejected(t, prove(5), {
    ...unavailable,
    problem: "too many questions to the API server are under way",
  });
  resolve(yes);
  t.strictSame(await Promise.all([...first, again]), Array(6).fill(subject));
  t.equal(await prove(5), subject);
  t.equal(state.questions, 6);
});

t.test("made-up tokens do not push good ones out", async (t) => {
  const { prove, state } = open({ maxVerdicts: 10 }, (question) => (question === 1 ? yes : {}));
  await prove(0);
  for (let at = 1; at < 50; at++) await rejected(t, prove(at), refused("not_authenticated"));
  t.equal(await prove(0), subject);
  t.equal(state.questions, 50);
});
