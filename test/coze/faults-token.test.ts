import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import t, { type Test } from "tap";
import { eventually } from "../config/eventually.ts";
import { startGateway, token } from "../helpers/gateway.ts";
import {
  type Answer,
  bytes,
  envelope,
  startMisbehavingServer,
  success,
  wireReply,
} from "../helpers/misbehaving-server.ts";
import { callBy, logged, methods, verdictOf } from "./helper.ts";

const newer = "sat_NEWERTOKEN0123456789abcdefghijklmnop";

/** Takes the newer token only; any other is told this. */
const onlyNewer =
  (refusal: string): Answer =>
  (socket, request) => {
    if (request.headers["authorization"] === `Bearer ${newer}`) success(socket, request);
    else socket.write(refusal);
  };

const rejections = [
  ["18: 401 with 4100", wireReply(401, envelope(4100))],
  ["18: 200 with 700012006", wireReply(200, envelope(700012006))],
  ["18: bare 401", wireReply(401, "")],
] as const;

for (const [name, refusal] of rejections) {
  for (const method of methods) {
    t.test(`${name}: ${method} goes through with a token that came meanwhile`, async (t) => {
      const coze = await startMisbehavingServer(t, onlyNewer(refusal));
      const gateway = await startGateway(t, coze.url);
      await writeFile(join(gateway.folder, "token"), `${newer}\n`);
      const reply = await callBy(gateway, method);
      t.equal(reply.status, 200);
      // The file may have been looked at before the call; the first attempt then has the newer token already.
      t.match(reply.headers.get("x-gateway-attempts"), /^[12]$/);
      t.match(coze.requests.at(-1)?.headers["authorization"], `Bearer ${newer}`);
      t.notMatch(gateway.text(), newer);
      t.notMatch(gateway.text(), token);
    });
  }
}

t.test("18: the token file is read again because of the rejection", async (t) => {
  const gatewayReady = Promise.withResolvers<string>();
  const coze = await startMisbehavingServer(t, async (socket, request) => {
    // Coze knows the newer token before the gateway does: it comes into the file with the rejection.
    if (coze.requests.length === 1) await writeFile(join(await gatewayReady.promise, "token"), newer);
    onlyNewer(wireReply(401, envelope(4100)))(socket, request);
  });
  const gateway = await startGateway(t, coze.url);
  gatewayReady.resolve(gateway.folder);
  const reply = await callBy(gateway, "POST");
  t.equal(reply.status, 200);
  t.same(
    coze.requests.map(({ headers }) => headers["authorization"]),
    [`Bearer ${token}`, `Bearer ${newer}`],
  );
  t.match(logged(gateway, "retry"), [{ class: "token_rejected", wait_ms: 0, next_wait_ms: 0 }]);
});

t.test("18: with the same token in the file one more try, then the operators are called", async (t) => {
  const coze = await startMisbehavingServer(t, bytes(wireReply(401, envelope(4100))));
  const gateway = await startGateway(t, coze.url);
  for (const method of methods) {
    const reply = await callBy(gateway, method);
    t.match(verdictOf(t, reply), {
      status: 502,
      error: "coze_token_rejected",
      attempts: 2,
      stopped: "token_retried",
    });
    t.notOk(reply.headers.has("www-authenticate"), "the caller's credential is not at fault");
    t.equal(reply.body.code, 4100);
  }
  t.equal(coze.requests.length, 6);
});

t.test("19: a missing permission is named and not tried again", async (t) => {
  const coze = await startMisbehavingServer(t, bytes(wireReply(200, envelope(4101))));
  const gateway = await startGateway(t, coze.url);
  const permissions = { GET: "listApiApp", DELETE: "deleteApiApp", POST: "createApiApp" };
  for (const method of methods) {
    const reply = await callBy(gateway, method);
    t.match(verdictOf(t, reply), { status: 502, error: "coze_permission_missing", attempts: 1 });
    t.match(reply.body.msg, `Missing: ${permissions[method]}.`);
  }
  t.equal(coze.requests.length, 3);
});

t.test("19: with a newer token at hand it is tried once more", async (t) => {
  const ready = Promise.withResolvers<Awaited<ReturnType<typeof startGateway>>>();
  const coze = await startMisbehavingServer(t, async (socket, request) => {
    if (coze.requests.length === 1) {
      const gateway = await ready.promise;
      await writeFile(join(gateway.folder, "token"), newer);
      while (logged(gateway, "token_loaded").length < 2) await new Promise((next) => setTimeout(next, 10));
    }
    onlyNewer(wireReply(403, envelope(4101)))(socket, request);
  });
  const gateway = await startGateway(t, coze.url);
  ready.resolve(gateway);
  const reply = await callBy(gateway, "POST");
  t.equal(reply.status, 200);
  t.match(logged(gateway, "retry"), [{ reason: "other_token", class: "refused", code: 4101 }]);
});

/** A gateway whose first token works, and the second, in the file now, not: Coze says this of it. */
async function startWithBadToken(t: Test, refusal: string, environment: NodeJS.ProcessEnv = {}) {
  const taken = new Set([`Bearer ${token}`]);
  const coze = await startMisbehavingServer(t, (socket, request) => {
    if (taken.has(request.headers["authorization"] ?? "")) success(socket, request);
    else socket.write(refusal);
  });
  const gateway = await startGateway(t, coze.url, environment);
  const write = async (value: string) => {
    const before = logged(gateway, "token_loaded").length;
    await writeFile(join(gateway.folder, "token"), value);
    await eventually("the token", () => logged(gateway, "token_loaded").length > before);
  };
  t.equal((await callBy(gateway, "GET")).status, 200);
  await write(newer);
  return { coze, gateway, taken, write };
}

for (const [name, refusal] of [...rejections, ["4101", wireReply(200, envelope(4101))]] as const) {
  t.test(`a new token that Coze rejects with ${name}: the one before is used, told once`, async (t) => {
    const { gateway } = await startWithBadToken(t, refusal);
    const first = await Promise.all(
      Array.from({ length: 12 }, (_, at) => callBy(gateway, methods[at % 3] ?? "GET")),
    );
    for (const { status } of first) t.equal(status, 200);
    for (const method of methods) {
      const reply = await callBy(gateway, method);
      t.same([reply.status, reply.headers.get("x-gateway-attempts")], [200, "1"], "now it is the one in use");
    }
    t.match(logged(gateway, "token_reverted"), [{ level: "error", rejected_generation: 2, generation: 1 }]);
    t.equal(logged(gateway, "token_reverted").length, 1);
    for (const retry of logged(gateway, "retry")) t.match(retry, { charged: false, next_wait_ms: 0 });
    const status = (await gateway.gateway.admin.inject("/token")).json();
    t.match(status, { state: "usable", generation: 1, reverted: true });
    t.notMatch(gateway.text(), newer);
    t.notMatch(gateway.text(), token);
  });
}

t.test("with one attempt for each call a bad token fails none either", async (t) => {
  const { gateway } = await startWithBadToken(t, wireReply(401, envelope(4100)), { MAX_ATTEMPTS: "1" });
  for (const method of methods) t.equal((await callBy(gateway, method)).status, 200);
});

t.test("good, bad, bad, good: a new token is always tried, and the last that worked is kept", async (t) => {
  const { gateway, taken, write } = await startWithBadToken(t, wireReply(401, envelope(4100)));
  t.equal((await callBy(gateway, "POST")).status, 200);
  await write(`${newer}2`);
  t.equal((await callBy(gateway, "POST")).status, 200);
  t.equal(logged(gateway, "token_reverted").length, 2, "told of each");
  taken.add(`Bearer ${newer}3`);
  await write(`${newer}3`);
  const reply = await callBy(gateway, "POST");
  t.same([reply.status, reply.headers.get("x-gateway-attempts")], [200, "1"]);
  t.match((await gateway.gateway.admin.inject("/token")).json(), { generation: 4, reverted: false });
});

t.test("when both are rejected the newest is tried again, and works once Coze knows it", async (t) => {
  const { coze, gateway, taken } = await startWithBadToken(t, wireReply(401, envelope(4100)));
  t.equal((await callBy(gateway, "POST")).status, 200);
  taken.clear();
  for (const method of methods) {
    const reply = await callBy(gateway, method);
    t.match(verdictOf(t, reply), { status: 502, error: "coze_token_rejected", attempts: 2 });
  }
  t.equal(
    coze.requests.at(-1)?.headers["authorization"],
    `Bearer ${token}`,
    "the other one was tried as well",
  );
  taken.add(`Bearer ${newer}`);
  for (const method of methods) t.equal((await callBy(gateway, method)).status, 200);
  t.equal(coze.requests.at(-1)?.headers["authorization"], `Bearer ${newer}`);
  t.match((await gateway.gateway.admin.inject("/token")).json(), { generation: 2, reverted: false });
  t.equal(logged(gateway, "token_reverted").length, 1);
});

t.test("a permission that the new token lacks once it has worked is missing", async (t) => {
  const { coze, gateway, taken } = await startWithBadToken(t, wireReply(200, envelope(4101)));
  taken.add(`Bearer ${newer}`);
  t.equal((await callBy(gateway, "GET")).status, 200);
  taken.delete(`Bearer ${newer}`);
  t.match(verdictOf(t, await callBy(gateway, "DELETE")), { error: "coze_permission_missing", attempts: 1 });
  t.equal(coze.requests.length, 3);
  t.same(logged(gateway, "token_reverted"), []);
});

t.test("a reply that shows the token reaches neither caller nor log", async (t) => {
  for (const leak of [token, Buffer.from(`Bearer ${token}`).toString("base64")]) {
    for (const reply of [
      wireReply(200, envelope(0, { leak })),
      wireReply(400, JSON.stringify({ code: 4000, msg: `Bearer ${leak} is wrong` })),
      wireReply(200, envelope(0), { "x-tt-logid": leak.replaceAll("=", "") }),
    ]) {
      const coze = await startMisbehavingServer(t, bytes(reply));
      const gateway = await startGateway(t, coze.url, { MAX_ATTEMPTS: "1" });
      for (const method of methods) {
        const { text, headers, ...rest } = await callBy(gateway, method);
        t.match(verdictOf(t, { text, headers, ...rest }), { status: 502, error: "coze_malformed" });
        t.notMatch(text + JSON.stringify([...headers]), leak);
      }
      t.notMatch(gateway.text(), leak);
    }
  }
});
