import t from "tap";
import { startGateway } from "../helpers/gateway.ts";
import { startMisbehavingServer, success } from "../helpers/misbehaving-server.ts";
import { callBy, logged } from "./helper.ts";

t.test("calls given up while their connection opens do not pile up behind it", async (t) => {
  let hanging = true;
  const coze = await startMisbehavingServer(t, success, { onConnection: () => hanging });
  // https towards a server that never answers the handshake: the connections hang until their own time is over.
  const gateway = await startGateway(t, coze.url.replace("http:", "https:"), {
    COZE_MAX_CONNECTIONS: "4",
    ATTEMPT_TIMEOUT_MS: "4000",
    MAX_ATTEMPTS: "1",
  });
  const impatient = { "x-gateway-timeout-ms": "50" };
  for (let round = 0; round < 25; round += 1) {
    await Promise.all([1, 2, 3, 4].map(() => callBy(gateway, "GET", impatient)));
    if (coze.connections() >= 4 && round > 10) break;
  }
  const during = logged(gateway, "request").length;
  t.ok(during >= 40, `${during} calls given up`);
  // Each slot is held until its connection has failed, so there are never more than there are slots.
  t.ok(coze.connections() <= 8, `${coze.connections()} connections`);
  hanging = false;
});

t.test("calls that queue are refused while there is time, not sent when there is none", async (t) => {
  const delayMs = 30;
  const coze = await startMisbehavingServer(
    t,
    (socket, request) => void setTimeout(success, delayMs, socket, request),
  );
  const gateway = await startGateway(t, coze.url, {
    COZE_MAX_CONNECTIONS: "1",
    REQUEST_TIMEOUT_MS: "1500",
    ATTEMPT_TIMEOUT_MS: "1500",
  });
  const replies = await Promise.all(Array.from({ length: 80 }, () => callBy(gateway, "POST")));
  const outcomes = replies.map(({ status, body }) => (status === 200 ? "done" : body.gateway.outcome));
  const count = (outcome: string) => outcomes.filter((one) => one === outcome).length;
  t.ok(count("done") > 0 && count("not_sent") > 0, `${count("done")} done, ${count("not_sent")} not sent`);
  // Only a stall of this machine at the wrong moment can leave one or two in doubt; before, it was every queue's end.
  t.ok(count("unknown") <= 2, `${count("unknown")} unknown`);
  t.equal(coze.count("POST"), count("done") + count("unknown"), "whoever was told 'not sent' was not sent");
});
