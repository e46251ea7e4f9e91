import t from "tap";
import { readReview } from "../../../src/callers/jwt/review.ts";
import { audience, subject } from "./tokens.ts";

const read = (status: unknown) =>
  readReview(Buffer.from(JSON.stringify({ kind: "TokenReview", status })), [audience, "other"]);
const user = { username: subject, uid: "u", groups: [] };

t.test("a yes counts for an audience that was asked for", async (t) => {
  t.strictSame(read({ authenticated: true, user, audiences: [audience] }), { subject });
  t.strictSame(read({ authenticated: true, user, audiences: ["x", "other"] }), { subject });
  const refusal = { refusal: "wrong_audience" };
  t.strictSame(read({ authenticated: true, user }), refusal, "a server that knows nothing of audiences");
  t.strictSame(read({ authenticated: true, user, audiences: [] }), refusal);
  t.strictSame(read({ authenticated: true, user, audiences: ["https://kubernetes.default.svc"] }), refusal);
});

t.test("all else is a no", async (t) => {
  const refusal = { refusal: "not_authenticated" };
  t.strictSame(read({}), refusal);
  t.strictSame(read({ user: {}, error: "[invalid bearer token]" }), refusal);
  t.strictSame(read({ authenticated: false, user, audiences: [audience] }), refusal);
});

t.test("a yes without a name names nobody", async (t) => {
  t.strictSame(read({ authenticated: true, audiences: [audience] }), { subject: "" });
  t.strictSame(read({ authenticated: true, user: {}, audiences: [audience] }), { subject: "" });
});

t.test("a reply that is no TokenReview is a failure, not a no", async (t) => {
  for (const reply of [
    "",
    "<html>",
    "null",
    "{}",
    '{"kind":"Status","status":"Failure"}',
    '{"kind":"TokenReview"}',
    '{"kind":"TokenReview","status":{"authenticated":"true"}}',
    '{"kind":"TokenReview","status":{"authenticated":1}}',
    '{"kind":"SubjectAccessReview","status":{"authenticated":true}}',
  ])
    t.throws(
      () => readReview(Buffer.from(reply), [audience]),
      { message: "the reply is no TokenReview with a status" },
      reply,
    );
});
