import { once } from "node:events";
import { readFile, rm, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import type { FastifyInstance } from "fastify";
import t from "tap";
import { mintKey } from "../src/callers/key.ts";
import { loadConfig } from "../src/config/config.ts";
import { openGateway, version } from "../src/gateway.ts";
import { files, problemsOf } from "./commands/files.ts";
import { eventually } from "./config/eventually.ts";
import { call, callersYaml, startGateway, startSandbox, type TestGateway, token } from "./helpers/gateway.ts";

const listen = (app: FastifyInstance) => app.listen({ host: "127.0.0.1", port: 0 });

/** The status of a list call with the key. */
async function statusWith(gateway: TestGateway, key: string): Promise<number> {
  return (await call(`${gateway.url}/v1/api_apps`, "GET", { authorization: `Bearer ${key}` })).status;
}

t.test("the version is that of package.json", async (t) => {
  const text = await readFile(new URL("../package.json", import.meta.url), "utf8");
  t.equal(version, JSON.parse(text).version);
});

t.test(
  "a changed callers file: a new key is taken and a removed one refused, without a restart",
  async (t) => {
    const coze = await startSandbox(t);
    const gateway = await startGateway(t, coze.url);
    const added = mintKey("added");
    t.equal(await statusWith(gateway, gateway.key), 200);
    t.equal(await statusWith(gateway, added), 401);
    await writeFile(join(gateway.folder, "callers.yaml"), callersYaml([{ id: "added", key: added }]));
    await eventually("the new key to be taken", async () => (await statusWith(gateway, added)) === 200);
    t.equal(await statusWith(gateway, gateway.key), 401);
    const loaded = gateway.lines().filter(({ event }) => event === "callers_loaded");
    t.match(loaded, [
      { level: "info", callers: 1 },
      { level: "info", callers: 1 },
    ]);
  },
);

t.test(
  "a broken callers file: the last good one stays, the error is logged once, a good one is taken",
  async (t) => {
    const coze = await startSandbox(t, new Map(["1", "2"].map((suffix) => [token + suffix, "all" as const])));
    const gateway = await startGateway(t, coze.url);
    const path = join(gateway.folder, "callers.yaml");
    const good = await readFile(path);
    const unusable = () => gateway.lines().filter(({ event }) => event === "callers_file_unusable");
    const troubles: [make: () => Promise<void>, problem: RegExp][] = [
      [() => writeFile(path, "callers: ["), /^not valid YAML/],
      [() => rm(path), /^ENOENT/],
      [() => writeFile(path, ""), /^file: /],
    ];
    for (const [index, [make, problem]] of troubles.entries()) {
      await make();
      await eventually("the error to be logged", () => unusable().length > index);
      t.equal(await statusWith(gateway, gateway.key), 200, "the last good file is in force");
      t.match(unusable()[index], { level: "error", problem });
    }
    // Two more looks, as a later one of the token file shows, and still the same three lines.
    for (const suffix of ["1", "2"]) {
      await writeFile(join(gateway.folder, "token"), token + suffix);
      await eventually("a look at the files", () =>
        gateway.text().includes(`"generation":${1 + Number(suffix)}`),
      );
    }
    t.equal(unusable().length, 3);
    const recovered = (event: string) => gateway.lines().filter((line) => line["event"] === event).length;
    await writeFile(join(gateway.folder, "token"), "two words");
    await eventually("the token file's error", () => recovered("token_file_unusable") === 1);
    await writeFile(join(gateway.folder, "token"), `${token}2`);
    await writeFile(path, good);
    await eventually(
      "both recoveries",
      () => recovered("token_file_usable") + recovered("callers_file_usable") === 2,
    );
    const added = mintKey("added");
    await writeFile(path, callersYaml([{ id: "added", key: added }]));
    await eventually("the new key to be taken", async () => (await statusWith(gateway, added)) === 200);
  },
);

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

t.test("an unusable COZE_TOKEN or callers file is refused at the start, both at once", async (t) => {
  const { environment } = files(t);
  const { COZE_TOKEN_FILE: _, ...others } = environment;
  const open = (more: NodeJS.ProcessEnv) =>
    openGateway(loadConfig({ ...others, ...more }), { write: () => undefined });
  t.strictSame(await problemsOf(open({ COZE_TOKEN: "a b c d e f" })), [
    "COZE_TOKEN: the token has blanks or characters that a header cannot carry",
  ]);
  t.match(await problemsOf(open({ COZE_TOKEN: token, CALLERS_FILE: "/none" })), [
    /^CALLERS_FILE \/none: ENOENT/,
  ]);
  const unnamed = {
    ...loadConfig({ ...others, COZE_TOKEN: token }),
    CALLERS_FILE: undefined,
    COZE_TOKEN: undefined,
  };
  t.match(await problemsOf(openGateway(unnamed, { write: () => undefined })), [/^CALLERS_FILE : ENOENT/]);
  t.match(await problemsOf(open({ COZE_TOKEN: "short", CALLERS_FILE: "/none" })), [
    "COZE_TOKEN: the token must have 8 to 8192 characters",
    /^CALLERS_FILE \/none: ENOENT/,
  ]);
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
