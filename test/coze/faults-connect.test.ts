import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import tls from "node:tls";
import t, { type Test } from "tap";
import { startGateway } from "../helpers/gateway.ts";
import { startMisbehavingServer, success } from "../helpers/misbehaving-server.ts";
import { callBy, logged, methods, verdictOf } from "./helper.ts";

const pem = (name: string) => readFileSync(new URL(`fixtures/${name}`, import.meta.url), "utf8");

tls.setDefaultCACertificates([pem("ca.pem")]);

/** Calls by every retry class; each is told that nothing was sent, after as many attempts as given. */
async function nothingSent(
  t: Test,
  url: string,
  attempts: number,
  environment: NodeJS.ProcessEnv = {},
): Promise<Awaited<ReturnType<typeof startGateway>>> {
  const gateway = await startGateway(t, url, environment);
  const replies = await Promise.all(methods.map((method) => callBy(gateway, method)));
  for (const [at, method] of methods.entries()) {
    t.same(
      verdictOf(t, replies[at]),
      {
        status: 503,
        error: "coze_unreachable",
        outcome: method === "GET" ? undefined : "not_sent",
        attempts,
        stopped: attempts === 1 ? "certificate" : "attempts_used_up",
      },
      method,
    );
    t.match(replies[at]?.headers.get("retry-after"), /^[1-9]\d*$/);
  }
  return gateway;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  return typeof address === "object" && address ? address.port : 0;
}

t.jobs = 3;

t.test(
  "1: refused connections are retried and leave the retry budget alone",
  { buffered: true },
  async (t) => {
    const gateway = await nothingSent(t, `http://127.0.0.1:${await freePort()}`, 3);
    const [retry] = logged(gateway, "retry");
    t.match(retry, { class: "not_sent", evidence: "connect: ECONNREFUSED", reason: "not_sent" });
    const more = await Promise.all(Array.from({ length: 20 }, () => callBy(gateway, "DELETE")));
    t.same(new Set(more.map(({ body }) => body.gateway.attempts)), new Set([3]));
  },
);

t.test("1: an upstream that comes back within the time is used", { buffered: true }, async (t) => {
  const port = await freePort();
  const gateway = await startGateway(t, `http://127.0.0.1:${port}`, { MAX_ATTEMPTS: "10" });
  const reply = callBy(gateway, "POST");
  while (logged(gateway, "retry").length < 2) await sleep(5);
  const server = createServer((socket) => {
    socket.on("data", () =>
      success(socket, { method: "", target: "", headers: {}, body: "", connection: 1 }),
    );
  });
  server.listen(port, "127.0.0.1");
  t.teardown(() => server.close());
  t.equal((await reply).status, 200);
  t.ok(Number((await reply).headers.get("x-gateway-attempts")) > 2);
});

t.test("2: a name that does not exist", { buffered: true }, async (t) => {
  const gateway = await nothingSent(t, "http://coze.invalid", 3, { COZE_ALLOW_HTTP: "true" });
  t.match(logged(gateway, "retry")[0], { class: "not_sent", evidence: /^connect: (ENOTFOUND|EAI_AGAIN)$/ });
});

for (const [certificate, code] of [
  ["self-signed", "DEPTH_ZERO_SELF_SIGNED_CERT"],
  ["expired", "CERT_HAS_EXPIRED"],
  ["wrong-name", "ERR_TLS_CERT_ALTNAME_INVALID"],
]) {
  t.test(`4: certificate ${certificate}`, { buffered: true }, async (t) => {
    const coze = await startMisbehavingServer(t, success, {
      tls: { key: pem("server.key"), cert: pem(`${certificate}.pem`) },
    });
    const gateway = await nothingSent(t, coze.url, 1);
    t.match(logged(gateway, "request")[0], { attempts: [{ evidence: `certificate: ${code}` }] });
    t.same(coze.requests, [], "not a byte of a request left");
  });
}

t.test(
  "4: a good certificate is taken, so the others fail for what is wrong with them",
  { buffered: true },
  async (t) => {
    const coze = await startMisbehavingServer(t, success, {
      tls: { key: pem("server.key"), cert: pem("good.pem") },
    });
    const gateway = await startGateway(t, coze.url);
    for (const method of methods) t.equal((await callBy(gateway, method)).status, 200);
    t.equal(coze.connections(), 1, "the connection is kept");
  },
);

t.test("4: a handshake that hangs is tried again", { buffered: true }, async (t) => {
  const silent = await startMisbehavingServer(t, success, { onConnection: () => true });
  const url = silent.url.replace("http:", "https:");
  const gateway = await nothingSent(t, url, 3, { ATTEMPT_TIMEOUT_MS: "200" });
  t.equal(silent.connections(), 9);
  t.match(logged(gateway, "retry")[0], { class: "not_sent" });
});

t.test("4: never plain text instead", { buffered: true }, async (t) => {
  const received: Buffer[] = [];
  const plain = await startMisbehavingServer(t, success, {
    onConnection: (socket) => {
      socket.on("data", (chunk) => {
        received.push(chunk);
        socket.end("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
      });
      return true;
    },
  });
  await nothingSent(t, plain.url.replace("http:", "https:"), 3);
  t.equal(received.length, 9);
  for (const chunk of received) t.equal(chunk[0], 22, "a TLS handshake record, nothing else");
});

t.test("5: reset on accept", { buffered: true }, async (t) => {
  const coze = await startMisbehavingServer(t, success, {
    onConnection: (socket, connection) => {
      if (connection <= 2) socket.resetAndDestroy();
      return connection <= 2;
    },
  });
  const gateway = await startGateway(t, coze.url);
  t.equal((await callBy(gateway, "DELETE")).status, 200);
  t.equal(coze.requests.length, 1);
});

t.test("5: connecting that hangs ends by its own timer", { buffered: true }, async (t) => {
  const port = await blackHole(t);
  const gateway = await nothingSent(t, `http://127.0.0.1:${port}`, 3, { ATTEMPT_TIMEOUT_MS: "200" });
  for (const line of logged(gateway, "request")) {
    for (const attempt of line["attempts"] as { ms: number; class: string }[]) {
      t.equal(attempt.class, "not_sent");
      t.ok(attempt.ms >= 190, `took ${attempt.ms} ms`);
    }
  }
});

/** A port whose backlog is full and whose process stands still: the kernel drops every further SYN. */
async function blackHole(t: Test): Promise<number> {
  const child = spawn(process.execPath, [
    "-e",
    'const s = require("net").createServer().listen({ port: 0, host: "127.0.0.1", backlog: 1 }, () => console.log(s.address().port))',
  ]);
  t.teardown(() => child.kill("SIGKILL"));
  const [line] = await once(child.stdout, "data");
  child.kill("SIGSTOP");
  const port = Number(String(line));
  const held: Socket[] = [];
  t.teardown(() => {
    for (const socket of held) socket.destroy();
  });
  for (let hanging = false; !hanging; ) {
    const socket = connect(port, "127.0.0.1").on("error", () => undefined);
    held.push(socket);
    hanging = await Promise.race([once(socket, "connect").then(() => false), sleep(300, true)]);
  }
  return port;
}
