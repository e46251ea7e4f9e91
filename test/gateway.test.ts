import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import type { FastifyInstance } from "fastify";
import t from "tap";
import { loadConfig } from "../src/config/config.ts";
import { openGateway } from "../src/gateway.ts";
import { files, problemsOf } from "./commands/files.ts";
import { eventually } from "./config/eventually.ts";
import { call, startGateway, startSandbox, token } from "./helpers/gateway.ts";

const listen = (app: FastifyInstance) => app.listen({ host: "127.0.0.1", port: 0 });

t.test("without a token file it starts, is not ready, and becomes so when the file comes", async (t) => {
  const { environment, folder, key } = files(t);
  const path = join(folder, "late");
  const written: string[] = [];
  const config = loadConfig({ ...environment, COZE_TOKEN_FILE: path, COZE_BASE_URL: "http://127.0.0.1:9" });
  const { app, admin, close } = await openGateway(config, { write: (line) => void written.push(line) });
  t.teardown(close);
  const [url, adminUrl] = await Promise.all([listen(app), listen(admin)]);
  const ready = async (from = url) => (await call(`${from}/readyz`, "GET", {})).status;
  t.equal(await ready(), 503);
  t.equal(await ready(adminUrl), 503);
  t.match((await call(`${url}/readyz`, "GET", {})).body, { checks: { token: false, not_draining: true } });
  const reply = await call(`${url}/v1/api_apps`, "GET", { authorization: `Bearer ${key}` });
  t.match(reply, { status: 503, body: { gateway: { error: "token_unavailable", attempts: 0 } } });
  t.match(written.join(""), /"event":"token_file_unusable","problem":"ENOENT/);
  await writeFile(path, `${token}\n`);
  await eventually("readiness", async () => (await ready()) === 200);
  t.equal(await ready(adminUrl), 200);
  t.notMatch(written.join(""), token);
});

t.test("an unusable token, callers file or audit store is refused at the start, all at once", async (t) => {
  const { environment } = files(t);
  const { COZE_TOKEN_FILE: _, CALLERS_FILE = "", ...others } = { ...environment };
  const open = (more: NodeJS.ProcessEnv) =>
    openGateway(loadConfig({ ...others, CALLERS_FILE, ...more }), { write: () => undefined });
  t.strictSame(await problemsOf(open({ COZE_TOKEN: "a b c d e f" })), [
    "COZE_TOKEN: the token has blanks or characters that a header cannot carry",
  ]);
  t.match(await problemsOf(open({ COZE_TOKEN: token, CALLERS_FILE: "/none" })), [
    /^CALLERS_FILE \/none: ENOENT/,
  ]);
  const wrong = {
    COZE_TOKEN: "short",
    CALLERS_FILE: "/none",
    AUDIT_STORE: `sqlite:${CALLERS_FILE}`,
  };
  t.match(await problemsOf(open(wrong)), [
    "COZE_TOKEN: the token must have 8 to 8192 characters",
    /^CALLERS_FILE \/none: ENOENT/,
    /^AUDIT_STORE sqlite:.*: the file is damaged or no database: /,
  ]);
  const gateway = await open({ COZE_TOKEN: token });
  await gateway.close();
  t.pass("the refused starts have let go of the audit store");
});

t.test("drain: not ready on both ports, still serving, connections are asked to close", async (t) => {
  const coze = await startSandbox(t);
  const { gateway, call: callAsTester, url } = await startGateway(t, coze.url);
  const keepAlive = async () => {
    const reply = await fetch(`${url}/livez`);
    await reply.arrayBuffer();
    return reply.headers.get("connection");
  };
  t.equal(await keepAlive(), "keep-alive");
  const adminUrl = await listen(gateway.admin);
  const metrics = (await call(`${adminUrl}/metrics`, "GET", {})).text;
  for (const line of [/retry_budget\w* \d/, /queue\w* 0\n/, /token_generation\w* 1\n/])
    t.match(metrics, line);
  gateway.drain();
  for (const from of [url, adminUrl]) {
    const reply = await call(`${from}/readyz`, "GET", {});
    t.equal(reply.status, 503);
    t.match(reply.body, { checks: { token: true, not_draining: false } });
  }
  t.equal((await callAsTester("GET", "/v1/api_apps")).status, 200);
  t.equal(await keepAlive(), "close");
});

t.test("close does not wait without end for a connection on which no whole request arrives", async (t) => {
  const { gateway, port } = await startGateway(t, "http://127.0.0.1:9", {
    REQUEST_TIMEOUT_MS: "100",
    ATTEMPT_TIMEOUT_MS: "100",
  });
  const sockets = ["", "GET /livez HT"].map((text) => connectWith(port, text));
  const closed = sockets.map((socket) => new Promise((resolve) => socket.once("close", resolve)));
  await Promise.all(sockets.map((socket) => once(socket, "connect")));
  await gateway.close();
  await Promise.all(closed);
  t.equal(gateway.app.server.listening, false);
});

/** A connection on which the text is sent and nothing more. */
function connectWith(port: number, text: string) {
  const socket = connect(port, "127.0.0.1").on("error", () => undefined);
  socket.resume().write(text);
  return socket;
}

t.test("close ends the stream of audit records", async (t) => {
  const { gateway, lines } = await startGateway(t, "http://127.0.0.1:9");
  await gateway.close();
  const records = lines().filter(({ event }) => event === "audit");
  t.match(records, [{ record: { kind: "opened" } }, { record: { kind: "stopped" } }]);
});
