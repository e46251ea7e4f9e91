import t from "tap";
import { startGateway } from "../helpers/gateway.ts";
import {
  bytes,
  envelope,
  inTurn,
  startMisbehavingServer,
  success,
  wireReply,
} from "../helpers/misbehaving-server.ts";
import { callBy, logged, methods, verdictOf } from "./helper.ts";

const throttled = (retryAfter?: string | readonly string[]) =>
  bytes(wireReply(429, envelope(4009), { "retry-after": retryAfter }));

t.jobs = 4;

for (const method of methods) {
  t.test(`15: ${method} is sent again after the time that Coze asks for`, { buffered: true }, async (t) => {
    const arrivals: number[] = [];
    const coze = await startMisbehavingServer(t, (socket, request) => {
      arrivals.push(performance.now());
      inTurnAnswers(socket, request);
    });
    const inTurnAnswers = inTurn(throttled("1"), success);
    const gateway = await startGateway(t, coze.url);
    const reply = await callBy(gateway, method);
    t.equal(reply.status, 200);
    t.equal(reply.headers.get("x-gateway-attempts"), "2");
    t.ok((arrivals[1] ?? 0) - (arrivals[0] ?? 0) >= 995, "not before");
  });
}

const inAnHour = () => new Date(Date.now() + 3_600_000).toUTCString();
for (const [name, retryAfter, told] of [
  ["seconds beyond the time left", "60", /^60$/],
  ["a date", inAnHour(), /^3[56]\d\d$/],
  ["several, of which the longest counts", ["1", "60"], /^60$/],
  ["a huge number", "99999999999", /^\d{7}$/],
] as const) {
  t.test(`15: ${name}: 429 at once with the same hint`, { buffered: true }, async (t) => {
    const coze = await startMisbehavingServer(t, throttled(retryAfter));
    const gateway = await startGateway(t, coze.url);
    for (const [at, method] of methods.entries()) {
      const reply = await callBy(gateway, method);
      const outcome = at === 0 ? "refused" : "not_sent";
      t.same(verdictOf(t, reply), {
        status: 429,
        error: "coze_throttled",
        attempts: at === 0 ? 1 : 0,
        outcome: method === "GET" ? undefined : outcome,
        stopped: "no_time_left",
      });
      t.match(reply.headers.get("retry-after"), told);
    }
    t.equal(coze.requests.length, 1, "the hint to one caller holds for all");
  });
}

for (const [name, retryAfter] of [
  ["16: without a hint", undefined],
  ["15: hint 0", "0"],
  ["15: a date long ago", "Sun, 06 Nov 1994 08:49:37 GMT"],
  ["15: garbage", "soon"],
] as const) {
  t.test(`${name}: as many attempts as there are, then 429`, { buffered: true }, async (t) => {
    const coze = await startMisbehavingServer(t, throttled(retryAfter));
    const gateway = await startGateway(t, coze.url);
    const reply = await callBy(gateway, "POST");
    t.same(verdictOf(t, reply), {
      status: 429,
      error: "coze_throttled",
      attempts: 3,
      outcome: "refused",
      stopped: "attempts_used_up",
    });
    t.equal(coze.requests.length, 3);
    t.match(reply.headers.get("retry-after"), /^[12]$/);
  });
}

t.test("15: callers who come during a cool-down wait for it", { buffered: true }, async (t) => {
  const arrivals: number[] = [];
  const answer = inTurn(throttled("1"), success);
  const coze = await startMisbehavingServer(t, (socket, request) => {
    arrivals.push(performance.now());
    answer(socket, request);
  });
  const gateway = await startGateway(t, coze.url);
  const first = callBy(gateway, "DELETE");
  while (logged(gateway, "retry").length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  const others = await Promise.all(methods.map((method) => callBy(gateway, method)));
  t.same(new Set([(await first).status, ...others.map(({ status }) => status)]), new Set([200]));
  t.equal(coze.requests.length, 5);
  const [before = 0, ...after] = arrivals;
  t.ok(Math.min(...after) - before >= 995, "nobody was sent before");
});

t.test("16: after a throttling the calls are spread out", { buffered: true }, async (t) => {
  const coze = await startMisbehavingServer(t, success);
  const gateway = await startGateway(t, coze.url);
  await Promise.all(Array.from({ length: 40 }, () => callBy(gateway, "GET")));
  coze.answerWith(inTurn(throttled(), success));
  await callBy(gateway, "GET");
  const start = performance.now();
  const replies = await Promise.all(Array.from({ length: 20 }, () => callBy(gateway, "GET")));
  const ms = performance.now() - start;
  t.same(new Set(replies.map(({ status }) => status)), new Set([200]));
  t.ok(ms > 500, `20 calls took ${Math.round(ms)} ms; unthrottled 40 a second at most halve to 20`);
});

for (const code of [4009, 4013, 4020, 710005002]) {
  t.test(`13: code ${code} with HTTP 200 is a throttling`, { buffered: true }, async (t) => {
    const coze = await startMisbehavingServer(t, inTurn(bytes(wireReply(200, envelope(code))), success));
    const gateway = await startGateway(t, coze.url);
    t.equal((await callBy(gateway, "POST")).status, 200);
    t.match(logged(gateway, "retry"), [{ class: "throttled", code, status: 200, attempt: 1 }]);
    t.equal(coze.requests.length, 2);
  });
}
