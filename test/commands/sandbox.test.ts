import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import t from "tap";
import { UsageError } from "../../src/commands/command.ts";
import { sandbox } from "../../src/commands/sandbox.ts";
import { call } from "../helpers/gateway.ts";
import { problemsOf, terminal } from "./files.ts";

/** Runs the command until the test ends; gives what it printed. */
async function start(t: Pick<typeof import("tap").t, "teardown">, args: readonly string[]) {
  const { printed, ...rest } = terminal();
  const running = await sandbox(args, rest);
  t.teardown(() => running.stop(true));
  const [, url = "", token = ""] = /^local Coze {2}(\S+)\ntoken {7}(\S+)\nfaults/.exec(printed()) ?? [];
  return { running, url, token, printed };
}

/** A port that nobody uses now. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

t.test("without options: a free loopback port and a new token, both printed", async (t) => {
  const one = await start(t, []);
  const other = await start(t, []);
  t.match(one.url, /^http:\/\/127\.0\.0\.1:\d+$/);
  t.match(one.token, /^sat_sandbox_[0-9a-f]{48}$/);
  t.not(one.token, other.token);
  t.not(one.url, other.url);
  t.match(one.printed(), `faults      POST ${one.url}/_sandbox/faults\n`);
  const list = (token: string) => call(`${one.url}/v1/api_apps`, "GET", { authorization: `Bearer ${token}` });
  t.equal((await list(one.token)).body.code, 0);
  t.equal((await list(other.token)).status, 401);
  t.ok(one.running.stopWithinMs > 0);
  t.equal(one.running.onFatal(new Error("x")), undefined);
});

t.test("with all options, and stopped", async (t) => {
  const port = await freePort();
  const { url, token, running } = await start(t, [`--port=${port}`, "--token=sat_mine", "--host=localhost"]);
  t.match(url, new RegExp(`:${port}$`));
  t.equal(token, "sat_mine");
  t.equal((await call(`${url}/v1/api_apps`, "GET", { authorization: "Bearer sat_mine" })).body.code, 0);
  await running.stop(false);
  await t.rejects(call(url, "GET", {}), TypeError, "nobody listens any more");
});

t.test("wrong options", async (t) => {
  for (const port of ["x", "", "-1", "1.5", "65536", "123456"]) {
    const wrong = new UsageError("--port must be a port number");
    await t.rejects(sandbox([`--port=${port}`], terminal()), wrong, port);
  }
  for (const args of [["now"], ["--tokens=x"], ["--port"]]) {
    await t.rejects(sandbox(args, terminal()), { code: /^ERR_PARSE_ARGS/ });
  }
});

t.test("a port that is taken is told without a stack", async (t) => {
  const { url } = await start(t, []);
  const { port } = new URL(url);
  t.strictSame(await problemsOf(sandbox([`--port=${port}`], terminal())), [
    `--host, --port: listen EADDRINUSE: address already in use 127.0.0.1:${port}`,
  ]);
});
