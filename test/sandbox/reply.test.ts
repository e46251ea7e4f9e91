import t from "tap";
import {
  accessTokenInvalid,
  answerTo,
  badParameter,
  newLogid,
  permissionMissing,
  toReply,
  unknownApp,
  unknownPath,
} from "../../src/sandbox/reply.ts";

const logid = "20260311094512A1B2C3D4E5F60718293A";
const headers = { "Content-Type": "application/json; charset=utf-8", "X-Tt-Logid": logid };

t.test("a logid is 14 digits of local time and 20 upper-case hex digits, new each time", (t) => {
  const now = new Date(2026, 2, 1, 9, 5, 7);
  t.match(newLogid(now), /^20260301090507[0-9A-F]{20}$/);
  t.not(newLogid(now), newLogid(now));
  t.match(newLogid(), /^\d{14}[0-9A-F]{20}$/);
  t.end();
});

t.test("success with and without data", (t) => {
  t.same(toReply({ code: 0, msg: "", data: { id: "1" } }, logid), {
    status: 200,
    headers,
    body: `{"code":0,"msg":"","data":{"id":"1"},"detail":{"logid":"${logid}"}}`,
  });
  t.equal(toReply({ code: 0, msg: "" }, logid).body, `{"code":0,"msg":"","detail":{"logid":"${logid}"}}`);
  t.end();
});

const refusals = [
  [badParameter("no"), 400, 4000],
  [unknownPath("GET", "/x"), 404, 4000],
  [unknownApp("75"), 200, 4200],
  [permissionMissing(), 200, 4101],
] as const;
for (const [refusal, status, code] of refusals) {
  t.test(`${code} ${refusal.message} travels with HTTP ${status}`, (t) => {
    const reply = toReply(answerTo(refusal), logid);
    t.equal(reply.status, status);
    t.same(reply.headers, headers);
    t.same(JSON.parse(reply.body), { code, msg: refusal.message, detail: { logid } });
    t.end();
  });
}

t.test("access token invalid is HTTP 401 without detail", (t) => {
  t.same(toReply(answerTo(accessTokenInvalid()), logid), {
    status: 401,
    headers,
    body: `{"code":700012006,"msg":"access token invalid"}`,
  });
  t.end();
});

t.test("an error that is no refusal is a server fault", (t) => {
  const reply = toReply(answerTo(new TypeError("a bug")), logid);
  t.equal(reply.status, 500);
  t.match(JSON.parse(reply.body), { code: 5000, msg: /a bug/ });
  t.end();
});
