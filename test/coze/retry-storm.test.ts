import t from "tap";
import { Agent, request } from "undici";
import { startGateway } from "../helpers/gateway.ts";
import { bytes, envelope, startMisbehavingServer, wireReply } from "../helpers/misbehaving-server.ts";

const atOnce = 32;
const total = 3000;
const longMs = process.env["LONG_TESTS"] === "1" ? 10_000 : 0;

t.test("a Coze that answers 503 to everything gets few more calls than there are requests", async (t) => {
  const coze = await startMisbehavingServer(t, bytes(wireReply(503, envelope(5000))));
  const gateway = await startGateway(t, coze.url, { LOG_LEVEL: "error" });
  const dispatcher = new Agent({ connections: atOnce });
  t.teardown(() => dispatcher.close());
  const startedAt = performance.now();
  const stopped = new Map<string, number>();
  let requests = 0;
  let callsWhenEmpty = 0;
  let requestsWhenEmpty = 0;
  const worker = async () => {
    while (requests < total || performance.now() - startedAt < longMs) {
      requests += 1;
      const reply = await request(`${gateway.url}/v1/api_apps`, {
        dispatcher,
        headers: { authorization: `Bearer ${gateway.key}` },
      });
      const body = (await reply.body.json()) as { gateway: { error: string; stopped: string } };
      const word = `${reply.statusCode} ${body.gateway.error} ${body.gateway.stopped}`;
      stopped.set(word, (stopped.get(word) ?? 0) + 1);
      if (body.gateway.stopped === "budget_empty" && requestsWhenEmpty === 0) {
        requestsWhenEmpty = requests;
        callsWhenEmpty = coze.requests.length;
      }
    }
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  const whole = coze.requests.length / requests;
  const late = (coze.requests.length - callsWhenEmpty) / (requests - requestsWhenEmpty);
  t.comment(
    `${requests} requests, ${coze.requests.length} calls at Coze: ${whole.toFixed(3)} a request, ` +
      `${late.toFixed(3)} once the budget was empty (from request ${requestsWhenEmpty} on)`,
  );
  t.ok(requestsWhenEmpty > 0, "the budget does run empty");
  t.ok(late < 1.2, "once the budget is empty");
  t.ok(coze.requests.length <= requests * 1.1 + 20 + atOnce, "and a burst of 20 before");
  t.same(
    new Set(stopped.keys()),
    new Set(["502 coze_unavailable budget_empty", "502 coze_unavailable attempts_used_up"]),
  );
});
