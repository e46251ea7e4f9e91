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

/** Makes so many calls, so many of them at one time. */
async function load<T>(total: number, atOnce: number, call: (at: number) => Promise<T>): Promise<T[]> {
  const results: T[] = [];
  let next = 0;
  const worker = async () => {
    for (let at = next++; at < total; at = next++) results.push(await call(at));
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  return results;
}

t.test("8: a server that ends each connection after its answer without saying so", async (t) => {
  const coze = await startMisbehavingServer(t, (socket, request) => {
    success(socket, request);
    socket.end();
  });
  const gateway = await startGateway(t, coze.url);
  const deletes = await load(500, 16, () => callBy(gateway, "DELETE"));
  t.same(new Set(deletes.map(({ status }) => status)), new Set([200]), "no caller sees it");
  t.comment(`500 deletes: ${coze.requests.length} requests, ${logged(gateway, "retry").length} retries`);
  const creates = await load(200, 16, (at) =>
    gateway.call("POST", "/v1/api_apps", { app_type: "normal", name: `app ${at}` }),
  );
  const names = coze.requests.filter(({ method }) => method === "POST").map(({ body }) => body);
  t.equal(new Set(names).size, names.length, "no create came twice");
  for (const reply of creates.filter(({ status }) => status !== 200)) {
    t.match(verdictOf(t, reply), { status: 502, attempts: 1, outcome: "unknown" });
  }
  t.comment(`200 creates: ${creates.filter(({ status }) => status !== 200).length} unknown`);
});

for (const how of ["FIN", "RST"] as const) {
  t.test(`8: every second request of a connection meets its end by ${how}`, async (t) => {
    const served = new WeakSet<object>();
    const coze = await startMisbehavingServer(t, (socket, request) => {
      if (!served.has(socket)) {
        served.add(socket);
        success(socket, request);
      } else if (how === "FIN") socket.end();
      else socket.resetAndDestroy();
    });
    const gateway = await startGateway(t, coze.url);
    const deletes = await load(500, 16, () => callBy(gateway, "DELETE"));
    t.same(new Set(deletes.map(({ status }) => status)), new Set([200]), "no caller sees it");
    const retries = logged(gateway, "retry");
    t.ok(retries.length > 100, `${retries.length} retries`);
    const text = (await gateway.gateway.admin.inject("/metrics")).body;
    t.match(text, "\ncoze_gateway_retry_budget_tokens 20\n", "none of them is charged");
    const names = new Set<string>();
    for (let at = 0; at < 20; at += 1) {
      const reply = await gateway.call("POST", "/v1/api_apps", { app_type: "normal", name: `app ${at}` });
      if (reply.status !== 200)
        t.match(verdictOf(t, reply), { status: 502, attempts: 1, outcome: "unknown" });
    }
    for (const { method, body } of coze.requests) {
      if (method !== "POST") continue;
      t.notOk(names.has(body), "no create comes twice");
      names.add(body);
    }
  });
}

t.test("8: a connection that dies while idle costs nobody an answer", async (t) => {
  const coze = await startMisbehavingServer(t, (socket, request) => {
    success(socket, request);
    setTimeout(() => socket.end(), 20);
  });
  const gateway = await startGateway(t, coze.url);
  for (let round = 0; round < 3; round += 1) {
    for (const method of methods) {
      const reply = await callBy(gateway, method);
      t.equal(reply.status, 200);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
});

for (const [name, extra] of [
  ["a whole reply", wireReply(200, envelope(0, { items: [{ id: "poison" }] }))],
  ["half a reply", 'HTTP/1.1 200 OK\r\ncontent-length: 999\r\n\r\n{"code":0,"data":"poison'],
  ["bytes that are no HTTP", "poison"],
] as const) {
  for (const when of ["with it", "later"] as const) {
    t.test(`10: ${name} that comes ${when} is nobody's answer`, async (t) => {
      const coze = await startMisbehavingServer(t, (socket, request) => {
        success(socket, request);
        if (when === "with it") socket.write(extra);
        else setTimeout(() => socket.write(extra), 10);
      });
      const gateway = await startGateway(t, coze.url, { COZE_MAX_CONNECTIONS: "1" });
      for (const method of methods) {
        const reply = await callBy(gateway, method);
        t.notMatch(reply.text, /poison/);
        t.equal(reply.status, 200);
        await new Promise((resolve) => setTimeout(resolve, 40));
      }
      t.equal(coze.requests.length, 3);
      t.equal(coze.connections(), 3, "none of these connections is used again");
    });
  }
}

t.test("10: replies in one segment do not reach calls that wait for the one connection", async (t) => {
  const poison = wireReply(200, envelope(0, { items: [{ id: "poison" }] }));
  const coze = await startMisbehavingServer(t, (socket, { target }) => {
    const id = new URL(target, "http://x").searchParams.get("page_token");
    socket.write(wireReply(200, envelope(0, { items: [{ id }] })) + poison + poison);
  });
  const gateway = await startGateway(t, coze.url, { COZE_MAX_CONNECTIONS: "1" });
  const replies = await load(60, 12, async (at) => {
    const { status, text } = await gateway.call("GET", `/v1/api_apps?page_token=mine${at}`);
    return { status, own: text.includes(`"mine${at}"`), poisoned: text.includes("poison") };
  });
  t.same(new Set(replies.map(({ poisoned }) => poisoned)), new Set([false]));
  t.same(
    replies.filter(({ status, own }) => status === 200 && !own),
    [],
    "a success is one's own",
  );
});

for (const status of [301, 302, 303, 307, 308]) {
  t.test(`20: ${status} is not followed`, async (t) => {
    const elsewhere = await startMisbehavingServer(t, success);
    const coze = await startMisbehavingServer(
      t,
      bytes(wireReply(status, "<a>moved</a>", { location: `${elsewhere.url}/v1/api_apps` })),
    );
    const gateway = await startGateway(t, coze.url);
    for (const method of methods) {
      t.match(verdictOf(t, await callBy(gateway, method)), {
        status: 502,
        error: "coze_error",
        attempts: 1,
        stopped: "refused",
      });
    }
    t.equal(coze.requests.length, 3);
    t.equal(elsewhere.connections(), 0, "the token went nowhere else");
  });
}

t.test("21: early hints before the answer", async (t) => {
  const hints = "HTTP/1.1 103 Early Hints\r\nlink: </x>\r\nx-tt-logid: hint\r\n\r\n";
  const answer = wireReply(200, envelope(0, {}), { "x-tt-logid": "answer" });
  const coze = await startMisbehavingServer(t, bytes(hints + answer));
  const gateway = await startGateway(t, coze.url);
  for (const method of methods) {
    const reply = await callBy(gateway, method);
    t.equal(reply.status, 200);
    t.equal(reply.text, envelope(0, {}));
    t.equal(reply.headers.get("x-tt-logid"), "answer");
  }
});

t.test("26: headers that come twice", async (t) => {
  const coze = await startMisbehavingServer(
    t,
    inTurn(
      bytes(
        wireReply(200, envelope(0, {}), {
          "x-tt-logid": ["first", "second"],
          "content-type": ["text/html", "application/json"],
          "retry-after": ["1", "2"],
          "set-cookie": ["a=1", "b=2"],
        }),
      ),
      bytes(wireReply(200, envelope(0, {}), { "x-tt-logid": ["not a logid!", "second"] })),
      bytes(wireReply(200, envelope(0, {}), { "x-tt-logid": "caf\u00e9" })),
    ),
  );
  const gateway = await startGateway(t, coze.url);
  const reply = await callBy(gateway, "GET");
  t.equal(reply.headers.get("x-tt-logid"), "first");
  t.equal(reply.headers.get("content-type"), "application/json; charset=utf-8");
  t.notOk(reply.headers.has("retry-after"));
  t.notOk(reply.headers.has("set-cookie"));
  t.equal((await callBy(gateway, "GET")).headers.get("x-tt-logid"), "second");
  const { status, headers } = await callBy(gateway, "GET");
  t.equal(status, 200);
  t.equal(headers.get("x-tt-logid"), "log-1", "what cannot stand in a header is not passed on");
});
