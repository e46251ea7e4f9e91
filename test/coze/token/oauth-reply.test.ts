import t from "tap";
import { MintError, readMintReply } from "../../../src/coze/token/oauth-reply.ts";

const now = Date.parse("2026-06-01T12:00:00Z");
const seconds = now / 1000;
const read = (body: unknown, status = 200) =>
  readMintReply(status, Buffer.from(typeof body === "string" ? body : JSON.stringify(body)), now);
const token = "czs_0123456789";

t.test("expires_in is a point in time, in seconds, as a number or a string of digits", async (t) => {
  for (const expires_in of [seconds + 3600, String(seconds + 3600)]) {
    const expected = { value: token, lifeMs: 3_599_000, expiresAt: now + 3_600_000 };
    t.strictSame(
      read({ access_token: token, expires_in }),
      expected,
      "its life is less the step of a Date header",
    );
    t.strictSame(read({ code: 0, msg: "", access_token: token, expires_in }, 201), expected);
  }
});

t.test("a success that cannot be one", async (t) => {
  const cases: [reply: object, problem: RegExp][] = [
    [{ access_token: token }, /^expires_in is missing or no number$/],
    [{ access_token: token, expires_in: null }, /^expires_in is missing/],
    [{ access_token: token, expires_in: "soon" }, /^expires_in is missing/],
    [{ access_token: token, expires_in: "1e99" }, /^expires_in is missing/],
    [{ access_token: token, expires_in: "9".repeat(16) }, /^expires_in is missing/],
    [{ access_token: token, expires_in: [seconds + 9] }, /^expires_in is missing/],
    [{ access_token: token, expires_in: seconds }, /^expires_in is in the past: \d+$/],
    [{ access_token: token, expires_in: seconds + 1 }, /^expires_in is in the past/],
    [{ access_token: token, expires_in: 900 }, /^expires_in is in the past: 900$/],
    [{ access_token: token, expires_in: -5 }, /^expires_in is in the past: -5$/],
    [{ access_token: token, expires_in: now + 900_000 }, /^expires_in is absurdly far away: \d+$/],
    [{ access_token: token, expires_in: seconds + 25 * 3600 + 1 }, /^expires_in is absurdly far/],
    [{ expires_in: seconds + 900 }, /^access_token: the token is empty$/],
    [{ access_token: 12345678, expires_in: seconds + 900 }, /^access_token: the token is empty$/],
    [{ access_token: "a b c d e", expires_in: seconds + 900 }, /^access_token: the token has blanks/],
    [{}, /^expires_in is missing/],
  ];
  for (const [reply, message] of cases) {
    t.throws(() => read(reply), { name: "MintError", message, passing: true }, JSON.stringify(reply));
  }
  t.type(read({ access_token: token, expires_in: seconds + 2 }).lifeMs, "number");
  t.type(read({ access_token: token, expires_in: seconds + 25 * 3600 }).lifeMs, "number");
});

t.test("failures in each envelope, and whether time may mend them", async (t) => {
  const cases: [reply: object | string, status: number, words: string, passing: boolean][] = [
    [
      { error_code: "invalid_client", error_message: "kid not been registred", error: "invalid_client" },
      401,
      "HTTP 401, invalid_client: kid not been registred",
      false,
    ],
    [{ error: "access_denied", error_description: "no" }, 400, "HTTP 400, access_denied: no", false],
    [{ error: "slow_down" }, 400, "HTTP 400, slow_down: no reason given", true],
    [{ error_code: "internal_error", error_message: "oops" }, 200, "HTTP 200, internal_error: oops", true],
    [
      { error_code: "access_deny", error: "internal_error" },
      400,
      "HTTP 400, access_deny: no reason given",
      true,
    ],
    [{ error_code: "", error: "invalid_request" }, 400, "HTTP 400, invalid_request: no reason given", false],
    [{ error_code: 4100, error_message: "x" }, 401, "HTTP 401, code 4100: x", false],
    [
      { code: 4100, msg: "authentication is invalid" },
      401,
      "HTTP 401, code 4100: authentication is invalid",
      false,
    ],
    [{ code: "700012006", msg: "invalid" }, 200, "HTTP 200, code 700012006: invalid", false],
    [{ code: 5000, msg: "later" }, 200, "HTTP 200, code 5000: later", true],
    [{ code: 4009, msg: "busy" }, 200, "HTTP 200, code 4009: busy", true],
    [{ code: 31337, msg: "" }, 200, "HTTP 200, code 31337: ", false],
    [{ error: "invalid_client" }, 503, "HTTP 503, invalid_client: no reason given", true],
    [{ error: "invalid_client" }, 429, "HTTP 429, invalid_client: no reason given", true],
    [{ error: { code: 1 } }, 400, "HTTP 400, no reason given", false],
    [{ access_token: token, expires_in: seconds + 900 }, 400, "HTTP 400, no reason given", false],
    [{ access_token: token, expires_in: seconds + 900 }, 302, "HTTP 302, no reason given", false],
    [{}, 500, "HTTP 500, no reason given", true],
    [{}, 408, "HTTP 408, no reason given", true],
    ["<html>502</html>", 502, "HTTP 502, no JSON object", true],
    ["", 200, "HTTP 200, no JSON object", true],
    ["[]", 200, "HTTP 200, no JSON object", true],
    ['"token"', 400, "HTTP 400, no JSON object", true],
  ];
  for (const [reply, status, message, passing] of cases)
    t.throws(
      () => read(reply, status),
      new MintError(message, passing),
      `${status} ${JSON.stringify(reply)}`,
    );
  const bytes = Buffer.from([0x7b, 0xff, 0x7d]);
  t.throws(() => readMintReply(200, bytes, now), { message: "HTTP 200, no JSON object" });
});
