import t from "tap";
import type { CallResult } from "../../src/coze/call-result.ts";
import type { AttemptResult } from "../../src/coze/classify.ts";
import { callOf, failureOf, withheld } from "../../src/http/failure.ts";
import { deleteApiApp } from "../../src/operations/delete-api-app.ts";
import { listApiApps } from "../../src/operations/list-api-apps.ts";

const last = {
  code: 4200,
  msg: "no\u2028such\n app sat_0123456789abcdefABCDEF",
  logid: "L1",
} as AttemptResult;
const result: CallResult = {
  error: "coze_not_found",
  last,
  attempts: [],
  stopped: "refused",
  outcome: "refused",
  retryAfterMs: 1500,
};

t.test("a failure: the table's words, Coze's, and what is known of the call", async (t) => {
  const { message, details } = failureOf(deleteApiApp, "coze_not_found", result);
  t.equal(
    message,
    'Coze does not know this resource. Coze says: "no such  app sat_[redacted]". Attempts: 0, stopped: refused.',
  );
  t.same(details.call, { attempts: 0, stopped: "refused", outcome: "refused", code: 4200, logid: "L1" });
  t.equal(details.retryAfterS, undefined, "a repeat cannot help");
  t.equal(failureOf(deleteApiApp, "coze_throttled", result).details.retryAfterS, 2);
  const missing = failureOf(deleteApiApp, "coze_permission_missing", { ...result, last: undefined });
  t.match(missing.message, / Missing: deleteApiApp\. Attempts/);
});

t.test("a success code in a failure is not shown as one", async (t) => {
  const odd = { ...result, last: { ...last, code: 0, msg: "" } };
  t.notOk("code" in (failureOf(deleteApiApp, "coze_malformed", odd).details.call ?? {}));
});

t.test("what is withheld is in doubt for a change, and told with its logid", async (t) => {
  t.match(withheld(deleteApiApp, result), {
    error: "audit_incomplete",
    details: { call: { outcome: "unknown" } },
  });
  t.same(callOf(listApiApps, result), { attempts: 0, logid: "L1" });
  t.same(callOf(listApiApps, { ...result, last: undefined }), { attempts: 0 });
});

t.test("a text of Coze that may quote the secret is left out", async (t) => {
  const quoting = { ...result, last: { ...last, msg: "check failed, verify_token=SECRET" } };
  t.notMatch(failureOf(deleteApiApp, "coze_invalid_request", quoting).message, /SECRET|Coze says/);
});
