import fc from "fast-check";
import t from "tap";
import { classify } from "../../src/coze/classify.ts";
import { cozeCodes } from "../../src/coze/codes.ts";
import type { Exchange, ExchangeFailure } from "../../src/coze/reply-collector.ts";
import { gatewayErrors } from "../../src/errors.ts";

const now = Date.now();
const reply = (status: number, body: string, headers: Record<string, string | string[]> = {}): Exchange => ({
  kind: "reply",
  status,
  headers,
  body: Buffer.from(body),
});
const failure = (name: ExchangeFailure, sent: boolean): Exchange => ({
  kind: "failure",
  failure: name,
  sent,
  detail: "x",
});

const failures: readonly ExchangeFailure[] = [
  "connect",
  "certificate",
  "timeout",
  "reset",
  "stale",
  "bad_http",
  "too_large",
  "encoded",
  "leak",
  "canceled",
];

t.test("what was not sent is not_sent, whatever went wrong; the rest is lost", async (t) => {
  const words: Partial<Record<ExchangeFailure, string>> = {
    timeout: "coze_timeout",
    reset: "coze_unavailable",
    stale: "coze_unavailable",
    canceled: "coze_unavailable",
  };
  for (const name of failures) {
    t.match(classify(failure(name, false), now), {
      class: "not_sent",
      error: "coze_unreachable",
      evidence: `${name}: x`,
      body: undefined,
    });
    t.match(classify(failure(name, true), now), { class: "lost", error: words[name] ?? "coze_malformed" });
  }
});

t.test("a code of the table decides, unless the status says that Coze failed", async () => {
  const status = fc.integer({ min: 200, max: 599 }).filter((status) => status !== 404);
  fc.assert(
    fc.property(fc.constantFrom(...cozeCodes), status, ([code, line], status) => {
      const result = classify(reply(status, JSON.stringify({ code, msg: "m" })), now);
      if (result.code !== code) return false;
      if (status >= 500 || status === 408)
        return result.class === "fault" && result.error === "coze_unavailable";
      return result.class === line.class && result.error === line.error;
    }),
  );
});

t.test("that it was not done is believed only where Coze says so without contradiction", async (t) => {
  for (const [status, body] of [
    [400, '{"code":4000}'],
    [200, '{"code":4200}'],
    [200, '{"code":4101}'],
    [400, '{"code":99}'],
    [401, ""],
    [429, ""],
    [403, "<html>"],
  ] as const) {
    t.equal(classify(reply(status, body), now).mayHaveActed, false, `${status} ${body}`);
  }
  for (const [status, body] of [
    [429, '{"code":0}'],
    [401, '{"code":0}'],
    [500, '{"code":4000}'],
    [504, '{"code":4009}'],
    [500, '{"code":4100}'],
    [303, ""],
    [200, '{"code":99}'],
    [200, '{"code":5000}'],
  ] as const) {
    t.equal(classify(reply(status, body), now).mayHaveActed, true, `${status} ${body}`);
  }
});

t.test("ok is code 0 under a 2xx, and only that", async () => {
  const code = fc.oneof(fc.constant(0), fc.integer(), fc.constantFrom("0", null, 0.5));
  fc.assert(
    fc.property(fc.integer({ min: 200, max: 999 }), code, (status, code) => {
      const result = classify(reply(status, JSON.stringify({ code })), now);
      const ok = code === 0 && status < 300;
      return (result.class === "ok") === ok && (result.body !== undefined) === ok;
    }),
  );
});

t.test("any reply has a class, and every class but ok a word of the table", async () => {
  const body = fc.oneof(fc.string(), fc.json());
  fc.assert(
    fc.property(fc.integer({ min: 200, max: 999 }), body, (status, text) => {
      const { class: found, error } = classify(reply(status, text), now);
      return found === "ok" ? error === undefined : error !== undefined && error in gatewayErrors;
    }),
  );
});

for (const [status, body, found, error] of [
  [401, "", "token_rejected", "coze_token_rejected"],
  [429, "", "throttled", "coze_throttled"],
  [429, '{"code":99}', "throttled", "coze_throttled"],
  [500, "", "fault", "coze_unavailable"],
  [503, '{"code":0}', "fault", "coze_unavailable"],
  [408, "", "fault", "coze_unavailable"],
  [200, "<html>", "lost", "coze_malformed"],
  [403, "<html>", "refused", "coze_blocked"],
  [403, '{"code":99}', "refused", "coze_error"],
  [404, '{"code":0}', "lost", "coze_malformed"],
  [429, '{"code":0}', "lost", "coze_malformed"],
  [404, '{"code":4000}', "refused", "coze_error"],
  [404, '{"code":4200}', "refused", "coze_not_found"],
  [302, "", "refused", "coze_error"],
  [200, '{"code":99}', "refused", "coze_error"],
  [400, "", "refused", "coze_error"],
] as const) {
  t.match(classify(reply(status, body), now), { class: found, error }, `${status} ${body}`);
}

t.test("msg, logid and hint are read; the header's logid comes first", async (t) => {
  const body = JSON.stringify({ code: 99, msg: "why", detail: { logid: "inside" } });
  const of = (headers: Record<string, string | string[]>) => classify(reply(200, body, headers), now);
  t.match(of({ "x-tt-logid": "header", "retry-after": "2" }), {
    msg: "why",
    logid: "header",
    retryAfterMs: 2000,
  });
  t.match(of({ "x-tt-logid": ["bad one", "good"] }), { logid: "good" });
  t.match(of({ "x-tt-logid": "" }), { logid: "inside" });
  t.match(of({}), { logid: "inside", retryAfterMs: undefined });
});
