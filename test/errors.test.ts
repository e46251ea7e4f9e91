import t from "tap";
import { GatewayError, gatewayErrors } from "../src/errors.ts";

t.test("every line of the table: status x 1000 + n, a text, and its own code", async (t) => {
  const lines = Object.entries(gatewayErrors);
  for (const [word, { status, code, message }] of lines) {
    t.match(word, /^[a-z]+(_[a-z]+)*$/);
    t.equal(Math.floor(code / 1000), status, word);
    t.ok(code % 1000 >= 1, word);
    t.ok(status >= 400 && status <= 504, word);
    t.match(message, /^[A-Z].*\.$/, word);
  }
  t.equal(new Set(lines.map(([, { code }]) => code)).size, lines.length);
});

t.test("503 and 429 say when to come back; nothing else does", async (t) => {
  for (const [word, line] of Object.entries(gatewayErrors)) {
    t.equal("retryAfterS" in line, line.status === 503 || line.status === 429, word);
  }
});

t.test("the words are the documented ones", async (t) => {
  t.same(
    Object.entries(gatewayErrors).map(([word, { status }]) => `${status} ${word}`),
    [
      "400 invalid_request",
      "400 malformed_http",
      "400 coze_invalid_request",
      "401 unauthenticated",
      "403 forbidden",
      "404 not_found",
      "404 coze_not_found",
      "405 method_not_allowed",
      "408 request_timeout",
      "409 coze_conflict",
      "413 payload_too_large",
      "414 uri_too_long",
      "415 unsupported_media_type",
      "429 rate_limited",
      "429 coze_throttled",
      "429 coze_quota",
      "431 headers_too_large",
      "500 internal",
      "500 audit_incomplete",
      "502 coze_unavailable",
      "502 coze_malformed",
      "502 coze_token_rejected",
      "502 coze_permission_missing",
      "502 coze_blocked",
      "502 coze_error",
      "503 coze_unreachable",
      "503 audit_unavailable",
      "503 overloaded",
      "503 token_unavailable",
      "503 authentication_unavailable",
      "504 coze_timeout",
    ],
  );
});

t.test("an error speaks its line's text unless it has a better one, and keeps its cause", async (t) => {
  const cause = new Error("inner");
  const plain = new GatewayError("forbidden");
  t.equal(plain.message, gatewayErrors.forbidden.message);
  t.equal(plain.cause, undefined);
  t.same(plain.details, {});
  const exact = new GatewayError("forbidden", { message: "Not you.", cause });
  t.equal(exact.message, "Not you.");
  t.equal(exact.cause, cause);
  t.equal(exact.name, "GatewayError");
  t.equal(exact.error, "forbidden");
});
