import type { FastifyRequest } from "fastify";
import t from "tap";
import { hashKey, mintKey } from "../../src/callers/key.ts";
import type { Credential } from "../../src/callers/policy.ts";
import type { CallResult } from "../../src/coze/call-result.ts";
import type { AttemptResult } from "../../src/coze/classify.ts";
import { GatewayError } from "../../src/errors.ts";
import { conclusionOf, refusalOf, subjectOf, subjectWithInput } from "../../src/http/audited.ts";
import { createApiApp } from "../../src/operations/create-api-app.ts";
import { deleteApiApp } from "../../src/operations/delete-api-app.ts";
import { listApiApps } from "../../src/operations/list-api-apps.ts";
import { callerWith } from "../callers/callers.ts";

const key = mintKey("billing");
const billing = { ...callerWith(), id: "billing" };
const credential: Credential = {
  caller: billing,
  kind: "key",
  id: hashKey(key).slice(0, 16),
  expiresAt: Number.POSITIVE_INFINITY,
};
const token = "sat_0123456789abcdefABCDEF";

const requestFor = (params: object) => ({ id: "r1", params }) as FastifyRequest;
const subject = subjectOf(deleteApiApp, requestFor({ api_app_id: "75120" }), credential);

t.test("who asks for what, the key by the beginning of its hash", async (t) => {
  t.strictSame(subject, {
    request_id: "r1",
    caller: "billing",
    credential_id: hashKey(key).slice(0, 16),
    operation: "delete_api_app",
    permission: "deleteApiApp",
    api_app_id: "75120",
  });
  t.notOk("api_app_id" in subjectOf(listApiApps, requestFor({}), credential));
});

t.test("an app id that is none, or looks like a credential, is left out", async (t) => {
  for (const id of ["", "a b", "a\r\nb", "\u2028", "x".repeat(65), key, token]) {
    t.notOk("api_app_id" in subjectOf(deleteApiApp, requestFor({ api_app_id: id }), credential));
  }
});

t.test("of the body: event types, and names of the other fields", async (t) => {
  const withBody = (body: object) => subjectWithInput(subject, { params: {}, query: {}, body: { ...body } });
  t.strictSame(withBody({ event_types: ["bot.published", "bot.deleted"] }), {
    ...subject,
    event_types: ["bot.published", "bot.deleted"],
  });
  const secret = { name: "CANARY-name", callback_url: "https://x/?key=CANARY-query" };
  t.strictSame(withBody(secret), { ...subject, fields: ["callback_url", "name"] });
  t.strictSame(withBody({}), subject);
  t.strictSame(subjectWithInput(subject, { params: {}, query: {}, body: undefined }), subject);
});

t.test("an event type that looks like a credential is left out", async (t) => {
  const body = { event_types: [token, "bot.published", key] };
  t.strictSame(subjectWithInput(subject, { params: {}, query: {}, body }).event_types, ["bot.published"]);
});

/** A call with one attempt that succeeded, unless told otherwise. */
function resultOf(body: string | undefined, more: Partial<CallResult> = {}): CallResult {
  const attempt = {
    attempt: 1,
    class: "ok",
    evidence: "code 0",
    status: 200,
    code: 0,
    logid: "L1",
    wait_ms: 0,
    ms: 12,
  } as const;
  const last: AttemptResult = {
    class: "ok",
    error: undefined,
    status: 200,
    code: 0,
    msg: "",
    logid: "L1",
    retryAfterMs: undefined,
    body: body === undefined ? undefined : Buffer.from(body),
    failure: undefined,
    mayHaveActed: true,
    evidence: "code 0",
  };
  return {
    error: undefined,
    last,
    attempts: [attempt],
    stopped: "done",
    outcome: undefined,
    retryAfterMs: undefined,
    ...more,
  };
}

t.test("a success is done, with every attempt", async (t) => {
  t.same(conclusionOf(deleteApiApp, resultOf('{"code":0}'), billing), {
    outcome: "done",
    status: 200,
    error: undefined,
    stopped: "done",
    attempts: [{ attempt: 1, class: "ok", status: 200, code: 0, logid: "L1", ms: 12 }],
  });
});

t.test("a failure has its outcome and what the caller gets", async (t) => {
  const failed = { error: "coze_timeout", last: undefined, attempts: [], stopped: "no_time_left" } as const;
  for (const outcome of ["not_sent", "refused", "unknown"] as const) {
    const conclusion = conclusionOf(deleteApiApp, resultOf(undefined, { ...failed, outcome }), billing);
    t.match(conclusion, { outcome, status: 504, error: "coze_timeout", stopped: "no_time_left" });
    t.strictSame(conclusion.attempts, []);
  }
  const doubtful = conclusionOf(
    deleteApiApp,
    resultOf(undefined, { ...failed, outcome: undefined }),
    billing,
  );
  t.equal(doubtful.outcome, "unknown", "what is not known is unknown");
  t.equal(
    conclusionOf(listApiApps, resultOf(undefined, failed), billing).outcome,
    "failed",
    "a read is in no doubt",
  );
});

t.test("a created app is named, when its id is one", async (t) => {
  const idOf = (body: string, operation = createApiApp) =>
    conclusionOf(operation, resultOf(body), billing).api_app_id;
  t.equal(idOf('{"code":0,"data":{"id":"7512345678901234567"}}'), "7512345678901234567");
  t.equal(idOf('{"code":0,"data":{"id":"75"}}', deleteApiApp), undefined, "nothing else creates one");
  for (const body of [
    '{"code":0}',
    '{"code":0,"data":null}',
    '{"code":0,"data":"x"}',
    '{"code":0,"data":[]}',
    '{"code":0,"data":{}}',
    '{"code":0,"data":{"id":7512345678901234567}}',
    '{"code":0,"data":{"id":null}}',
    '{"code":0,"data":{"id":"a b"}}',
    '{"code":0,"data":{"id":"\\u2028"}}',
    `{"code":0,"data":{"id":"${token}"}}`,
  ]) {
    t.equal(idOf(body), undefined, body.replaceAll("\\", ""));
  }
  const failed = resultOf(undefined, { error: "coze_malformed", outcome: "unknown" });
  t.equal(conclusionOf(createApiApp, failed, billing).api_app_id, undefined);
});

t.test("a refusal before anything was sent", async (t) => {
  t.strictSame(refusalOf(new GatewayError("forbidden")), {
    outcome: "not_sent",
    status: 403,
    error: "forbidden",
  });
});

t.test("an app that was created is the caller's; nothing else changes owners", async (t) => {
  const body = '{"code":0,"data":{"id":"7512345678901234567"}}';
  t.equal(conclusionOf(createApiApp, resultOf(body), billing).owner, "billing");
  t.equal(conclusionOf(deleteApiApp, resultOf(body), billing).owner, undefined);
  const doubtful = resultOf(undefined, { error: "coze_timeout", outcome: "unknown" });
  t.equal(conclusionOf(createApiApp, doubtful, billing).owner, undefined, "a doubt gives nothing");
});

t.test("a success that cannot be shown: a change is done all the same, a read gave nothing", async (t) => {
  const hidden = new GatewayError("coze_malformed");
  const body = '{"code":0,"data":{"id":"75"}}';
  t.match(conclusionOf(createApiApp, resultOf(body), billing, hidden), {
    outcome: "done",
    status: 502,
    error: "coze_malformed",
    owner: "billing",
  });
  t.match(conclusionOf(listApiApps, resultOf(body), billing, hidden), { outcome: "failed", status: 502 });
});

t.test("by what somebody was known and allowed", async (t) => {
  const request = {
    ...requestFor({}),
    rules: [{ name: "grants[0]" }, { name: "grants[2]" }],
    policyVersion: "0123456789abcdef",
  } as unknown as FastifyRequest;
  t.match(subjectOf(listApiApps, request, { ...credential, kind: "jwt", subject: "a:b" }), {
    credential_id: credential.id,
    subject: "a:b",
    rule: "grants[0]+grants[2]",
    policy_version: "0123456789abcdef",
  });
});
