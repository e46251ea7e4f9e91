import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import t from "tap";
import { serve } from "../../src/commands/serve.ts";
import { call, token } from "../helpers/gateway.ts";
import { files, problemsOf, terminal } from "./files.ts";

/**
 * At LOG_LEVEL=error only audit records are written to standard output, where tap's own report goes; main.test.ts looks
 * at the log.
 */
const quiet = (t: { testdir(): string }) => ({
  HOST: "127.0.0.1",
  PORT: "0",
  ADMIN_PORT: "0",
  LOG_LEVEL: "error",
  AUDIT_STORE: `sqlite:${t.testdir()}/audit.db`,
});

t.test("without a configuration it lists every mistake", async (t) => {
  t.match(await problemsOf(serve([], terminal({ PORT: "x" }))), [
    /^PORT: /,
    /^COZE_TOKEN_FILE: missing/,
    /^CALLERS_FILE: missing/,
  ]);
});

t.test("a port that is taken, either of them, or an address that is not ours", async (t) => {
  const taken = createServer().listen(0, "127.0.0.1");
  t.teardown(() => taken.close());
  await once(taken, "listening");
  const { port } = taken.address() as AddressInfo;
  const { environment } = files(t);
  for (const name of ["PORT", "ADMIN_PORT"]) {
    const problems = [
      `HOST, PORT or ADMIN_PORT: listen EADDRINUSE: address already in use 127.0.0.1:${port}`,
    ];
    const run = serve([], terminal({ ...environment, [name]: String(port) }));
    t.strictSame(await problemsOf(run), problems, name);
  }
  t.match(await problemsOf(serve([], terminal({ ...environment, HOST: "192.0.2.1" }))), [
    /^HOST, PORT or ADMIN_PORT: listen EADDRNOTAVAIL/,
  ]);
});

t.test("the gateway on both ports, and its bound for stopping", async (t) => {
  const { environment, key } = files(t);
  const { printed, ...rest } = terminal({
    ...environment,
    COZE_BASE_URL: "http://127.0.0.1:9",
    REQUEST_TIMEOUT_MS: "7000",
    DRAIN_DELAY_MS: "20",
  });
  const running = await serve([], rest);
  t.equal(running.stopWithinMs, 20 + 7000 + 5000);
  t.equal(printed(), "");
  t.ok("url" in running && typeof running.url === "string");
  const url = String(Object.assign({ url: "" }, running).url);
  t.equal((await call(`${url}/readyz`, "GET", {})).status, 200);
  const reply = await call(`${url}/v1/api_apps`, "GET", { authorization: `Bearer ${key}` });
  t.equal(reply.body.gateway.error, "coze_unreachable");
  await running.stop(false);
  await t.rejects(call(`${url}/readyz`, "GET", {}), TypeError);
});

t.test("--sandbox brings its own Coze, token and callers, and a guide", async (t) => {
  const { printed, ...rest } = terminal(quiet(t));
  const running = await serve(["--sandbox"], rest);
  const [, url = ""] = /gateway {5}(\S+)/.exec(printed()) ?? [];
  const [, coze = ""] = /local Coze {2}(\S+)/.exec(printed()) ?? [];
  const [, key = ""] = /caller key {2}(\S+)/.exec(printed()) ?? [];
  const reply = await call(`${url}/v1/api_apps`, "GET", { authorization: `Bearer ${key}` });
  t.equal(reply.body.code, 0);
  await running.stop(false);
  for (const each of [url, coze]) await t.rejects(call(each, "GET", {}), TypeError, "stopped");
});

t.test("--sandbox together with a real Coze is refused, naming the variables but no value", async (t) => {
  const real = {
    COZE_BASE_URL: "https://api.coze.cn",
    COZE_TOKEN: token,
    COZE_TOKEN_FILE: "/t",
    COZE_OAUTH_APP_ID: "1",
    COZE_OAUTH_DURATION_SECONDS: "900",
    CALLERS_FILE: "/c",
  };
  for (const [name, value] of Object.entries(real)) {
    const { printed, ...rest } = terminal({ ...quiet(t), [name]: value });
    const problems = [`${name}: --sandbox brings its own; unset them, or leave --sandbox out`];
    t.strictSame(await problemsOf(serve(["--sandbox"], rest)), problems);
    t.equal(printed(), "");
  }
  t.match(await problemsOf(serve(["--sandbox"], terminal(real))), [
    /^COZE_BASE_URL, COZE_TOKEN_FILE, COZE_TOKEN, COZE_OAUTH_APP_ID, COZE_OAUTH_DURATION_SECONDS, CALLERS_FILE: /,
  ]);
});

t.test("--sandbox with another mistake leaves nothing open: this test would not end", async (t) => {
  const { printed, ...rest } = terminal({ ...quiet(t), PORT: "x", COZE_BASE_URL: "" });
  t.match(await problemsOf(serve(["--sandbox"], rest)), [/^PORT: /]);
  t.equal(printed(), "");
});

t.test("it takes no other words", async (t) => {
  for (const args of [["now"], ["--sandbox=1"], ["--port=1"]]) {
    await t.rejects(serve(args, terminal(quiet(t))), { code: /^ERR_PARSE_ARGS/ });
  }
});
