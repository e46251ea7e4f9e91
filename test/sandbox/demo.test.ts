import { readdirSync } from "node:fs";
import { access, readFile, stat } from "node:fs/promises";
import { Server } from "node:net";
import { dirname } from "node:path";
import t from "tap";
import { parsePolicy } from "../../src/callers/policy.ts";
import { loadConfig } from "../../src/config/config.ts";
import { operations, permissions } from "../../src/operations/registry.ts";
import { demoGuide, startDemo } from "../../src/sandbox/demo.ts";

/** A demo that ends with the test. */
async function start(t: Pick<typeof import("tap").t, "teardown">) {
  const demo = await startDemo();
  let open = true;
  const close = async () => {
    if (open) await demo.close();
    open = false;
  };
  t.teardown(close);
  const { COZE_TOKEN_FILE = "", CALLERS_FILE = "" } = demo.environment;
  return { demo, close, tokenFile: COZE_TOKEN_FILE, callersFile: CALLERS_FILE };
}

t.test("the environment is a good one, for a local Coze that takes the token", async (t) => {
  const { demo, tokenFile, callersFile } = await start(t);
  const config = loadConfig(demo.environment);
  t.equal(config.COZE_BASE_URL, demo.sandboxUrl);
  t.match(demo.sandboxUrl, /^http:\/\/127\.0\.0\.1:\d+$/);
  const token = await readFile(tokenFile, "utf8");
  const list = (authorization: string) =>
    fetch(`${demo.sandboxUrl}/v1/api_apps`, { headers: { authorization, connection: "close" } });
  t.equal((await list(`Bearer ${token}`)).status, 200);
  t.equal((await list(`Bearer ${demo.keys.demo}`)).status, 401, "the caller key is no token");
  const { callers, credentials } = parsePolicy(await readFile(callersFile));
  t.equal(credentials.size, 3);
  const cozes = [...permissions].filter((name) => name !== "readAudit");
  t.match(callers, [
    { id: "demo", grants: [{ permissions: [...permissions], api_app_ids: "all" }] },
    { id: "orders", grants: [{ permissions: cozes, api_app_ids: "own" }] },
    { id: "billing", grants: [{ permissions: cozes, api_app_ids: "own" }] },
  ]);
  for (const file of [tokenFile, callersFile]) t.equal((await stat(file)).mode & 0o777, 0o600);
});

t.test("token, key and folder are new each time, and gone at the end", async (t) => {
  const [one, other] = [await start(t), await start(t)];
  t.not(one.demo.keys.demo, other.demo.keys.demo);
  t.not(await readFile(one.tokenFile, "utf8"), await readFile(other.tokenFile, "utf8"));
  await one.close();
  await t.rejects(access(dirname(one.tokenFile)), { code: "ENOENT" });
  await t.rejects(fetch(one.demo.sandboxUrl), TypeError);
  t.equal((await stat(other.tokenFile)).isFile(), true);
});

t.test("a start that fails leaves no folder behind", async (t) => {
  const { TMPDIR } = process.env;
  const temporary = t.testdir();
  const { listen } = Server.prototype;
  t.teardown(() => {
    Server.prototype.listen = listen;
    if (TMPDIR === undefined) delete process.env["TMPDIR"];
    else process.env["TMPDIR"] = TMPDIR;
  });
  process.env["TMPDIR"] = temporary;
  Server.prototype.listen = () => {
    t.equal(readdirSync(temporary).length, 1, "it was there");
    throw new Error("no port is free");
  };
  await t.rejects(startDemo(), { message: "no port is free" });
  t.strictSame(readdirSync(temporary), []);
});

t.test("the guide names each address and has a command for each operation", async (t) => {
  const { demo, tokenFile } = await start(t);
  const guide = demoGuide("http://127.0.0.1:3000", demo);
  for (const text of ["http://127.0.0.1:3000/docs", demo.sandboxUrl, demo.keys.demo, "/_sandbox/faults"]) {
    t.match(guide, text);
  }
  t.notMatch(guide, await readFile(tokenFile, "utf8"), "the token of Coze is not shown");
  const commands = guide.split("\n").filter((line) => /^(APP=|curl )/.test(line));
  const called = commands.map((line) => {
    const [, method, path = ""] = /-X (\w+) "http:\/\/127\.0\.0\.1:3000([^"?]*)/.exec(line) ?? [];
    return `${method} ${path.replace("$APP", ":api_app_id")}`;
  });
  const trail = called.indexOf("GET /gateway/v1/audit/events");
  const known = new Set(operations.map(({ method, path }) => `${method} ${path}`));
  t.strictSame(new Set(called.slice(0, trail)), known, "and then, who did all that");
  t.strictSame(
    called.slice(trail + 1),
    [
      "POST /v1/api_apps",
      "DELETE /v1/api_apps/:api_app_id",
      "GET /v1/api_apps",
      "DELETE /v1/api_apps/:api_app_id",
      "GET /gateway/v1/whoami",
    ],
    "and at the end, two callers that own what they create",
  );
  const keyOf = (command = "") => /Bearer (cgw_([a-z]+)_[\w-]+)"/.exec(command)?.slice(1);
  for (const command of commands) {
    const [key = "", id = ""] = keyOf(command) ?? [];
    t.equal(key, demo.keys[id as keyof typeof demo.keys]);
  }
  t.strictSame(
    commands.slice(-5).map((command) => keyOf(command)?.[1]),
    ["orders", "billing", "billing", "orders", "billing"],
  );
});
