import { once } from "node:events";
import { copyFile } from "node:fs/promises";
import { createServer, type Socket } from "node:net";
import { join } from "node:path";
import t, { type Test } from "tap";
import { Endpoint } from "../../../src/callers/jwt/endpoint.ts";
import { EndpointFiles } from "../../../src/callers/jwt/endpoint-files.ts";
import { Health } from "../../../src/callers/jwt/health.ts";
import { eventually } from "../../config/eventually.ts";
import { type ApiServer, makeAuthority, startApiServer } from "./api-server.ts";

const authority = makeAuthority(t);
const stranger = makeAuthority(t);

interface Changes {
  readonly caFile?: string;
  readonly bearerTokenFile?: string;
  readonly timeoutMs?: number;
}

function open(t: Test, url: string, changes: Changes = {}): Endpoint {
  const files = new EndpointFiles({
    caFile: changes.caFile,
    bearerTokenFile: changes.bearerTokenFile,
    intervalMs: 10,
    health: new Health("cluster", {}),
  });
  const endpoint = new Endpoint({
    url,
    files,
    timeoutMs: changes.timeoutMs ?? 60_000,
    maxReplyBytes: 10_000,
  });
  t.teardown(() => endpoint.close());
  return endpoint;
}

/** Asks a server that behaves like this. */
async function ask(t: Test, behave: NonNullable<ApiServer["behave"]>, timeoutMs?: number) {
  const api = await startApiServer(t);
  api.behave = behave;
  const endpoint = open(t, api.jwksUri, timeoutMs === undefined ? {} : { timeoutMs });
  return { api, endpoint, reply: endpoint.exchange() };
}

const accepted = "application/jwk-set+json, application/json";

t.test("a GET with path and query, and a POST with JSON", async (t) => {
  const asked: unknown[] = [];
  const api = await startApiServer(t);
  api.behave = async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const { accept, authorization, "content-type": type } = request.headers;
    asked.push([request.method, request.url, accept, authorization, type, Buffer.concat(chunks).toString()]);
    response.writeHead(request.method === "POST" ? 201 : 200).end("reply");
  };
  const endpoint = open(t, `${api.url}/keys?policy=a`);
  t.equal((await endpoint.exchange()).toString(), "reply");
  t.equal((await endpoint.exchange({ spec: 1 })).toString(), "reply");
  t.strictSame(asked, [
    ["GET", "/keys?policy=a", accepted, undefined, undefined, ""],
    ["POST", "/keys?policy=a", accepted, undefined, "application/json", '{"spec":1}'],
  ]);
});

t.test("the gateway's own token is sent, and the new one after it rotated", async (t) => {
  const folder = t.testdir({ token: "one", next: "two" });
  const api = await startApiServer(t, { ...authority, bearer: "two" });
  const endpoint = open(t, api.jwksUri, {
    caFile: authority.caFile,
    bearerTokenFile: join(folder, "token"),
  });
  await t.rejects(endpoint.exchange(), { message: "HTTP 403" });
  await copyFile(join(folder, "next"), join(folder, "token"));
  await eventually("a reply", () => endpoint.exchange().catch(() => undefined));
  t.equal(api.seen[0], "Bearer one");
  t.equal(api.seen.at(-1), "Bearer two");
});

t.test("only the authority in ca_file is trusted, and a new one after it rotated", async (t) => {
  const folder = t.testdir();
  const caFile = join(folder, "ca.pem");
  await copyFile(stranger.caFile, caFile);
  const api = await startApiServer(t, authority);
  const endpoint = open(t, api.jwksUri, { caFile });
  await t.rejects(endpoint.exchange(), { message: "UNABLE_TO_VERIFY_LEAF_SIGNATURE" });
  t.equal(api.requests(), 0, "nothing was sent");
  await copyFile(authority.caFile, caFile);
  await eventually("a reply", () => endpoint.exchange().catch(() => undefined));
  await t.rejects(
    open(t, api.jwksUri).exchange(),
    { message: "UNABLE_TO_VERIFY_LEAF_SIGNATURE" },
    "nor by default",
  );
  await t.rejects(
    open(t, api.jwksUri.replace("127.0.0.1", "localhost"), { caFile: authority.caFile }).exchange(),
    { message: "ERR_TLS_CERT_ALTNAME_INVALID" },
    "a certificate for another name",
  );
});

t.test("NODE_TLS_REJECT_UNAUTHORIZED=0 does not let strangers in", async (t) => {
  const before = process.env["NODE_TLS_REJECT_UNAUTHORIZED"];
  process.env["NODE_TLS_REJECT_UNAUTHORIZED"] = "0";
  t.teardown(() => {
    if (before === undefined) delete process.env["NODE_TLS_REJECT_UNAUTHORIZED"];
    else process.env["NODE_TLS_REJECT_UNAUTHORIZED"] = before;
  });
  const api = await startApiServer(t, authority);
  await t.rejects(open(t, api.jwksUri, { caFile: stranger.caFile }).exchange());
  await t.rejects(open(t, api.jwksUri).exchange());
  t.equal(api.requests(), 0);
});

t.test("without a file that is named nothing is sent", async (t) => {
  const api = await startApiServer(t);
  const endpoint = open(t, api.jwksUri, { bearerTokenFile: join(t.testdir(), "missing") });
  await t.rejects(endpoint.exchange(), { message: /^bearer_token_file: ENOENT/ });
  t.equal(api.requests(), 0);
});

t.test("a redirect is a failure, and is not followed", async (t) => {
  const other = await startApiServer(t);
  const { reply } = await ask(
    t,
    (_, response) => void response.writeHead(302, { location: other.jwksUri }).end(),
  );
  await t.rejects(reply, { message: "HTTP 302" });
  t.equal(other.requests(), 0);
});

t.test("any other status is a failure, however long its body", async (t) => {
  for (const status of [204, 301, 307, 401, 404, 429, 500, 503]) {
    const { reply, endpoint, api } = await ask(t, (_, response) => {
      response.writeHead(status);
      if (status !== 204) response.write("x".repeat(9_000));
      if (status === 204) response.end();
    });
    await t.rejects(reply, { message: `HTTP ${status}` });
    api.behave = (_, response) => void response.end("well again");
    t.equal((await endpoint.exchange()).toString(), "well again");
  }
});

t.test("a huge reply is cut off", async (t) => {
  const { reply } = await ask(t, (_, response) => {
    const more = () => {
      while (!response.destroyed && response.write("x".repeat(65_536)));
    };
    response.on("drain", more);
    more();
  });
  await t.rejects(reply, { message: "UND_ERR_RES_EXCEEDED_MAX_SIZE" });
});

t.test("silence and a reply that trickles end with the time", async (t) => {
  const trickle = await ask(
    t,
    (_, response) => {
      const drip = setInterval(() => response.write(" "), 20);
      response.on("close", () => clearInterval(drip));
    },
    300,
  );
  await t.rejects(trickle.reply, { message: "timeout" });
  const silence = await ask(t, () => undefined, 300);
  await t.rejects(silence.reply, { message: "timeout" });
});

t.test("what waits for a connection ends with the time as well", async (t) => {
  const { reply, endpoint, api } = await ask(t, () => undefined, 500);
  const started = performance.now();
  const all = [reply, ...Array.from({ length: 40 }, () => endpoint.exchange())];
  for (const { status } of await Promise.allSettled(all)) t.equal(status, "rejected");
  t.ok(performance.now() - started < 20_000);
  api.behave = undefined;
  await eventually("a free connection", () => endpoint.exchange().catch(() => undefined), 20_000);
});

t.test("resets and nonsense are failures", async (t) => {
  const { reply } = await ask(t, (request) => void request.socket.resetAndDestroy());
  await t.rejects(reply, { message: /^(ECONNRESET|UND_ERR_SOCKET)$/ });
  const nonsense = createServer((socket: Socket) => {
    socket.on("error", () => undefined);
    socket.once("data", () => socket.end("SSH-2.0-OpenSSH\r\n"));
  }).listen(0, "127.0.0.1");
  t.teardown(() => nonsense.close());
  await once(nonsense, "listening");
  const address = nonsense.address();
  const port = typeof address === "object" && address ? address.port : 0;
  await t.rejects(open(t, `http://127.0.0.1:${port}/`).exchange(), { message: "HTTPParserError" });
  const api = await startApiServer(t);
  await api.stop();
  await t.rejects(open(t, api.jwksUri).exchange(), { message: "ECONNREFUSED" });
});

t.test("close cuts what is under way, and nothing is begun after it", async (t) => {
  const { reply, endpoint, api } = await ask(t, () => undefined);
  const cut = t.rejects(reply, { message: "closed" });
  await eventually("the request", () => api.requests() === 1);
  await endpoint.close();
  await cut;
  await t.rejects(endpoint.exchange(), { message: "closed" });
  const unused = open(t, api.jwksUri);
  await unused.close();
});
