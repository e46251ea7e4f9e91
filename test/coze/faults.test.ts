import { gzipSync } from "node:zlib";
import t from "tap";
import { startGateway } from "../helpers/gateway.ts";
import {
  type Answer,
  bytes,
  bytesThenEnd,
  envelope,
  reset,
  silence,
  startMisbehavingServer,
  success,
  wireReply,
} from "../helpers/misbehaving-server.ts";
import { callBy, type Method, methods, type Verdict, verdictOf } from "./helper.ts";

/** Faults that stay, one row of FAULTS.md after the other: what Coze does, and what its callers are told. */
interface Case {
  readonly name: string;
  readonly answer: Answer;
  readonly status: number;
  readonly error: string;
  /** `doubtful`: Coze may have done it. `unexplained`: so it may, but it is not asked again. `refused`: it did not. */
  readonly kind: "doubtful" | "unexplained" | "refused" | "token";
  readonly attemptTimeoutMs?: string;
}

const ok = envelope(0, { items: [] });
const whole = wireReply(200, ok);
const html = (status: number) =>
  wireReply(status, "<html><b>oops</b></html>", { "content-type": "text/html" });
const body = (text: string) => bytes(wireReply(200, text));
const bomb = gzipSync(gzipSync(Buffer.alloc(20_000_000)));

/** Sends these bytes, then resets once they are out. */
function bytesThenReset(text: string): Answer {
  return (socket) => void socket.write(text, () => setTimeout(() => socket.resetAndDestroy(), 20));
}

const drip: Answer = (socket) => {
  socket.write(whole.slice(0, -ok.length));
  let at = 0;
  const timer = setInterval(() => socket.write(ok[at++ % ok.length] ?? ""), 50);
  socket.on("close", () => clearInterval(timer));
};

const endless: Answer = (socket) => {
  socket.write(wireReply(200, "", { "content-length": undefined, "transfer-encoding": "chunked" }));
  const chunk = `10000\r\n${"x".repeat(65_536)}\r\n`;
  const pour = () => {
    while (!socket.destroyed && socket.write(chunk));
  };
  socket.on("drain", pour);
  pour();
};

const unavailable = { status: 502, error: "coze_unavailable", kind: "doubtful" } as const;
const malformed = { status: 502, error: "coze_malformed", kind: "doubtful" } as const;
const timeout = { status: 504, error: "coze_timeout", kind: "doubtful", attemptTimeoutMs: "400" } as const;
const unknown = { status: 502, error: "coze_error", kind: "refused" } as const;

const cases: readonly Case[] = [
  { name: "6: reset after the request", answer: reset, ...unavailable },
  { name: "6: end after the request", answer: (socket) => void socket.end(), ...unavailable },
  { name: "7: reset within the headers", answer: bytesThenReset(whole.slice(0, 30)), ...unavailable },
  { name: "7: end within the headers", answer: bytesThenEnd(whole.slice(0, 30)), ...unavailable },
  { name: "7: reset within the body", answer: bytesThenReset(whole.slice(0, -9)), ...unavailable },
  { name: "7: end within the body", answer: bytesThenEnd(whole.slice(0, -9)), ...unavailable },
  {
    name: "7: end within a chunked body",
    answer: bytesThenEnd(
      wireReply(200, '5\r\n{"cod', { "content-length": undefined, "transfer-encoding": "chunked" }),
    ),
    ...unavailable,
  },
  { name: "9: JSON cut short, with the right length", answer: body(ok.slice(0, -3)), ...malformed },
  {
    name: "10: Content-Length too long",
    answer: bytesThenEnd(wireReply(200, ok, { "content-length": String(ok.length + 5) })),
    ...unavailable,
  },
  {
    name: "10: Content-Length too short",
    answer: bytes(wireReply(200, ok, { "content-length": String(ok.length - 5) })),
    ...malformed,
  },
  {
    name: "10: Content-Length and Transfer-Encoding",
    answer: bytes(
      wireReply(200, `${ok.length.toString(16)}\r\n${ok}\r\n0\r\n\r\n`, { "transfer-encoding": "chunked" }),
    ),
    ...malformed,
  },
  {
    name: "10: two Content-Lengths",
    answer: bytes(wireReply(200, ok, { "content-length": [String(ok.length), String(ok.length - 1)] })),
    ...malformed,
  },
  { name: "10: no HTTP at all", answer: bytes("SSH-2.0-OpenSSH_9.6\r\n"), ...malformed },
  { name: "11: HTML 502", answer: bytes(html(502)), ...unavailable },
  { name: "11: HTML 504", answer: bytes(html(504)), ...unavailable },
  { name: "12: HTML 200", answer: bytes(html(200)), ...malformed },
  { name: "12: empty 200", answer: body(""), ...malformed },
  { name: "12: 204", answer: bytes("HTTP/1.1 204 No Content\r\n\r\n"), ...malformed },
  {
    name: "13: input",
    answer: body(envelope(4000)),
    status: 400,
    error: "coze_invalid_request",
    kind: "refused",
  },
  {
    name: "13: not found",
    answer: body(envelope(4200)),
    status: 404,
    error: "coze_not_found",
    kind: "refused",
  },
  {
    name: "13: conflict",
    answer: body(envelope(4016)),
    status: 409,
    error: "coze_conflict",
    kind: "refused",
  },
  { name: "13: quota", answer: body(envelope(4011)), status: 429, error: "coze_quota", kind: "refused" },
  { name: "13: blocked", answer: body(envelope(4102)), status: 502, error: "coze_blocked", kind: "refused" },
  { name: "13: internal", answer: body(envelope(5000)), ...unavailable },
  { name: "13: unknown code with 200", answer: body(envelope(123_456)), ...unknown, kind: "unexplained" },
  { name: "13: unknown code with 400", answer: bytes(wireReply(400, envelope(123_456))), ...unknown },
  {
    name: "14: code as text",
    answer: body(envelope("4000")),
    status: 400,
    error: "coze_invalid_request",
    kind: "refused",
  },
  { name: "14: success as text", answer: body('{"code":"0","msg":""}'), ...malformed },
  { name: "14: fraction", answer: body('{"code":0.5,"msg":""}'), ...malformed },
  { name: "14: null", answer: body('{"code":null,"msg":""}'), ...malformed },
  { name: "14: no code", answer: body('{"msg":""}'), ...malformed },
  { name: "14: 2^53 + 1", answer: body('{"code":9007199254740993,"msg":""}'), ...malformed },
  { name: "17: 500", answer: bytes(wireReply(500, "")), ...unavailable },
  { name: "17: 502", answer: bytes(wireReply(502, "{}")), ...unavailable },
  { name: "17: 503", answer: bytes(wireReply(503, envelope(77))), ...unavailable },
  { name: "17: 504 that says success", answer: bytes(wireReply(504, ok)), ...unavailable },
  { name: "17: 408", answer: bytes(wireReply(408, "")), ...unavailable },
  { name: "17: 400 that says success", answer: bytes(wireReply(400, ok)), ...malformed },
  {
    name: "18: 401 without envelope",
    answer: bytes(wireReply(401, "")),
    status: 502,
    error: "coze_token_rejected",
    kind: "token",
  },
  {
    name: "18: 200 with 4100",
    answer: body(envelope(4100)),
    status: 502,
    error: "coze_token_rejected",
    kind: "token",
  },
  {
    name: "18: 401 with 700012006",
    answer: bytes(wireReply(401, envelope(700012006))),
    status: 502,
    error: "coze_token_rejected",
    kind: "token",
  },
  {
    name: "19: 403 with 4101",
    answer: bytes(wireReply(403, envelope(4101))),
    status: 502,
    error: "coze_permission_missing",
    kind: "refused",
  },
  {
    name: "19: 403 without envelope",
    answer: bytes(html(403)),
    status: 502,
    error: "coze_blocked",
    kind: "refused",
  },
  { name: "20: 404 without envelope", answer: bytes(html(404)), ...unknown },
  { name: "21: 100 unasked", answer: bytes(`HTTP/1.1 100 Continue\r\n\r\n${whole}`), ...unavailable },
  {
    name: "21: 101 unasked",
    answer: bytes("HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n"),
    ...unavailable,
  },
  { name: "22: no headers", answer: silence, ...timeout },
  { name: "22: half the headers", answer: bytes(whole.slice(0, 30)), ...timeout },
  { name: "23: a body that drips", answer: drip, ...timeout },
  { name: "23: a body that stops", answer: bytes(whole.slice(0, -9)), ...timeout },
  { name: "24: endless body", answer: endless, ...malformed },
  {
    name: "25: gzip bomb",
    answer: (socket) => {
      socket.write(
        `HTTP/1.1 200 OK\r\ncontent-encoding: gzip, gzip\r\ncontent-length: ${bomb.length}\r\n\r\n`,
      );
      socket.write(bomb);
    },
    ...malformed,
  },
  {
    name: "25: an encoding nobody knows",
    answer: bytes(wireReply(200, ok, { "content-encoding": "x" })),
    ...malformed,
  },
];

/** How often a call goes out and what is known after it, by what the fault leaves open and by the retry class. */
function expected(kind: Case["kind"], method: Method): Pick<Verdict, "attempts" | "outcome" | "stopped"> {
  const outcome = kind === "doubtful" || kind === "unexplained" ? "unknown" : "refused";
  const known = { outcome: method === "GET" ? undefined : outcome };
  if (kind === "refused" || kind === "unexplained") return { ...known, attempts: 1, stopped: "refused" };
  if (kind === "token") return { ...known, attempts: 2, stopped: "token_retried" };
  if (method === "POST") return { ...known, attempts: 1, stopped: "maybe_done" };
  return { ...known, attempts: 3, stopped: "attempts_used_up" };
}

t.jobs = 4;
for (const { name, answer, status, error, kind, attemptTimeoutMs } of cases) {
  t.test(name, { buffered: true }, async (t) => {
    const coze = await startMisbehavingServer(t, answer);
    const environment = attemptTimeoutMs === undefined ? {} : { ATTEMPT_TIMEOUT_MS: attemptTimeoutMs };
    const gateway = await startGateway(t, coze.url, environment);
    const replies = await Promise.all(methods.map((method) => callBy(gateway, method)));
    for (const [at, method] of methods.entries()) {
      const wanted = expected(kind, method);
      t.same(verdictOf(t, replies[at]), { status, error, ...wanted }, method);
      t.equal(coze.count(method), wanted.attempts, `${method}: on the wire`);
    }
    coze.answerWith(success);
    const after = await callBy(gateway, "GET");
    t.equal(after.text, envelope(0, { items: [], has_more: false }), "the next call gets its own answer");
  });
}
