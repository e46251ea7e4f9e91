import { execFile, execFileSync } from "node:child_process";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import { Agent, request } from "node:http";
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import t from "tap";
import { openSqliteStore } from "../src/audit/sqlite/store.ts";
import { Trail } from "./audit/rows.ts";
import { files } from "./commands/files.ts";
import { type Program, startProgram } from "./commands/process.ts";
import { eventually } from "./config/eventually.ts";
import { call, startSandbox, token } from "./helpers/gateway.ts";

const ports = { PORT: "0", ADMIN_PORT: "0" };

/** A gateway process in front of a sandbox in this one. */
async function serve(
  t: Pick<typeof import("tap").t, "teardown" | "testdir">,
  environment: NodeJS.ProcessEnv = {},
  nodeOptions: readonly string[] = [],
) {
  const coze = await startSandbox(t);
  const own = files(t);
  const program = startProgram(
    t,
    ["serve"],
    { ...own.environment, COZE_BASE_URL: coze.url, LOG_LEVEL: "info", ...environment },
    nodeOptions,
  );
  const [, url = "", adminUrl = ""] = await program.prints(/"url":"([^"]+)","admin_url":"([^"]+)"/);
  const authorization = `Bearer ${own.key}`;
  return { ...coze, program, cozeUrl: coze.url, url, adminUrl, authorization };
}

const events = (program: Program) => program.lines().map(({ event }) => event);

t.test("help, in three spellings", async (t) => {
  for (const word of ["help", "--help", "-h"]) {
    const program = startProgram(t, [word]);
    t.equal(await program.ended(), 0);
    for (const command of ["serve", "serve --sandbox", "sandbox", "check", "keys new", "openapi", "help"]) {
      t.match(program.stdout(), `\n  ${command} `);
    }
    t.equal(program.stderr(), "");
  }
});

t.test("a wrong command line is exit 2, with the usage on standard error", async (t) => {
  const cases: [args: string[], message: string][] = [
    [["sreve"], 'there is no command "sreve"'],
    [["constructor"], 'there is no command "constructor"'],
    [["serve", "--port=1"], "Unknown option '--port'"],
    [["keys", "new"], "--caller must name the caller"],
  ];
  for (const [args, message] of cases) {
    const program = startProgram(t, args);
    t.equal(await program.ended(), 2, args.join(" "));
    t.match(program.stderr(), message);
    t.match(program.stderr(), "\n\nUsage: main.js [command]\n");
    t.notMatch(program.stderr(), /\n\s+at /, "no stack");
    t.equal(program.stdout(), "");
  }
});

t.test(
  "a wrong configuration is exit 1: every mistake, no stack, no secret; serve is the default",
  async (t) => {
    for (const args of [[], ["serve"], ["check"]]) {
      const program = startProgram(t, args, { PORT: "x", COZE_TOKN: token, COZE_BASE_URL: "ftp://x" });
      t.equal(await program.ended(), 1);
      t.match(
        program.stderr().split("\n"),
        [
          "The configuration has 5 mistakes:",
          /^ {2}- COZE_TOKN: not a variable/,
          /^ {2}- PORT: must be/,
          /^ {2}- COZE_BASE_URL: must be/,
          /^ {2}- COZE_TOKEN_FILE: missing/,
          /^ {2}- CALLERS_FILE: missing/,
          "",
        ],
        args.join(),
      );
      t.notMatch(program.stderr(), /\n\s+at /);
      t.notMatch(program.stderr(), token);
    }
  },
);

t.test("a failure that is no mistake of the configuration is exit 1, with its stack", async (t) => {
  const program = startProgram(t, ["openapi", "--out", "/dev/null/x"]);
  t.equal(await program.ended(), 1);
  t.match(program.stderr(), /^Error: ENOTDIR: [\s\S]*\n\s+at /);
});

t.test("check as a process", async (t) => {
  const program = startProgram(t, ["check"], files(t).environment);
  t.equal(await program.ended(), 0);
  t.match(program.stdout(), /\nThe configuration is good\.\n$/);
  t.equal(program.stderr(), "");
});

const missingTools = ["bash", "curl", "grep", "cut"].filter((tool) => {
  try {
    execFileSync("which", [tool]);
    return false;
  } catch {
    return true;
  }
});

t.test(
  "serve --sandbox: every printed command works as it stands",
  { skip: missingTools.length > 0 && `missing: ${missingTools}` },
  async (t) => {
    const program = startProgram(t, ["serve", "--sandbox"], ports);
    await program.prints(/Stop with Ctrl-C/);
    const commands = program
      .stdout()
      .split("\n")
      .filter((line) => /^(APP=|curl )/.test(line));
    t.equal(commands.length, 14);
    const script = commands.map((command) => `${command}\necho; echo ===`).join("\n");
    const { stdout, stderr } = await promisify(execFile)("bash", ["-c", script]);
    const shown = stdout.split("===\n").slice(0, commands.length);
    const refused = [...program.stdout().matchAll(/^# .*\(403\).*\n(.*)$/gm)].map(([, command]) => command);
    t.equal(refused.length, 1);
    for (const [index, reply] of shown.entries()) {
      const command = commands[index] ?? "";
      if (refused.includes(command)) {
        t.match(reply, /^HTTP\/1.1 403 Forbidden\r$/m, command);
        continue;
      }
      t.match(reply, /^HTTP\/1.1 200 OK\r$/m, `${command} ${stderr}`);
      t.match(reply, /\n\{"code":0,/);
      // The trail shows the logids of those before it; what the gateway answers by itself has none.
      if (command.includes("/audit/")) t.match(reply, /"logid":"\w{34}"/);
      else if (!/\/gateway\/v1\/|dry-run/.test(command)) t.match(reply, /^x-tt-logid: \w{34}\r$/m);
    }
    const list = shown[commands.findIndex((command) => /-X GET ".*\/v1\/api_apps"/.test(command))];
    t.match(list, /"items":\[\]/, "one caller does not see the app of the other");
    program.child.kill("SIGINT");
    t.equal(await program.ended(), 0);
    t.equal(events(program).at(-1), "stopped");
    t.notMatch(program.stdout(), /sat_sandbox_\w/);
  },
);

t.test("sandbox as a process", async (t) => {
  const program = startProgram(t, ["sandbox", "--token=sat_mine"]);
  const [, url = ""] = await program.prints(/local Coze {2}(\S+)\n[\s\S]*faults/);
  t.equal((await call(`${url}/v1/api_apps`, "GET", { authorization: "Bearer sat_mine" })).body.code, 0);
  program.child.kill("SIGTERM");
  t.equal(await program.ended(), 0);
});

/** One GET over the agent's connection; gives the status and the Connection header. */
async function get(agent: Agent, url: string, headers: Record<string, string> = {}) {
  const sent = request(url, { agent, headers }).end();
  const [reply] = await once(sent, "response");
  reply.resume();
  await once(reply, "end");
  return { status: reply.statusCode, connection: reply.headers.connection };
}

t.test("SIGTERM under load: not ready at once, what is under way is answered, exit 0", async (t) => {
  const { program, url, adminUrl, authorization, sandbox } = await serve(t, { DRAIN_DELAY_MS: "1500" });
  const [idle, busy] = [new Agent({ keepAlive: true }), new Agent({ keepAlive: true })];
  t.teardown(() => [idle, busy].forEach((agent) => void agent.destroy()));
  for (const agent of [idle, busy]) t.equal((await get(agent, `${url}/livez`)).connection, "keep-alive");
  const silent = connect(Number(new URL(adminUrl).port), "127.0.0.1").on("error", () => undefined);
  t.teardown(() => silent.destroy());
  await once(silent, "connect");
  sandbox.faults.add({ delay_ms: 2500 });
  const slow = get(busy, `${url}/v1/api_apps`, { authorization });
  await eventually("the call to reach Coze", () => sandbox.calls.length > 0);
  const told = performance.now();
  program.child.kill("SIGTERM");
  for (const from of [url, adminUrl]) {
    await eventually("503", async () => (await call(`${from}/readyz`, "GET", {})).status === 503);
  }
  t.same(
    events(program).filter((event) => event === "stopped"),
    [],
    "it still serves while it drains",
  );
  t.equal((await call(`${url}/v1/api_apps`, "GET", { authorization })).status, 200);
  t.strictSame(await slow, { status: 200, connection: "close" });
  t.equal(await program.ended(), 0);
  t.ok(performance.now() - told < 30_000, "long before an idle connection ends by itself, after 72 s");
  t.strictSame(events(program).slice(-1), ["stopped"]);
});

t.test("SIGINT stops as gracefully, a second signal later at once", async (t) => {
  const { program } = await serve(t, { DRAIN_DELAY_MS: "300000" });
  program.child.kill("SIGINT");
  await program.prints(/"event":"draining"/);
  t.match(program.lines().at(-1), { event: "draining", delay_ms: 300_000 });
  await sleep(600);
  program.child.kill("SIGTERM");
  t.equal(await program.ended(), 1);
  t.notMatch(program.stdout(), '"event":"stopped"');
});

t.test("Ctrl-C under npm comes twice at once, and is one signal: nothing is left behind", async (t) => {
  const temporary = t.testdir();
  const environment = { ...ports, TMPDIR: temporary, DRAIN_DELAY_MS: "300" };
  const program = startProgram(t, ["serve", "--sandbox"], environment);
  await program.prints(/Stop with Ctrl-C/);
  t.match(readdirSync(temporary), [/^coze-gateway-/]);
  program.child.kill("SIGINT");
  // Two that wait together would be one to the process.
  await program.prints(/"event":"draining"/);
  program.child.kill("SIGINT");
  t.equal(await program.ended(), 0);
  t.equal(events(program).at(-1), "stopped");
  t.strictSame(readdirSync(temporary), []);
});

t.test("a delete whose caller hung up just before SIGTERM still gets done and logged", async (t) => {
  const { program, url, authorization, sandbox } = await serve(t);
  const body = { app_type: "normal", name: "x" };
  const { id } = (await call(`${url}/v1/api_apps`, "POST", { authorization }, body)).body.data;
  sandbox.faults.add({ delay_ms: 1000, method: "DELETE" });
  const sent = request(`${url}/v1/api_apps/${id}`, { method: "DELETE", headers: { authorization } });
  sent.on("error", () => undefined).end();
  await eventually("the delete to reach Coze", () => sandbox.calls.length === 2);
  const done = () => program.lines().find(({ operation }) => operation === "delete_api_app");
  t.equal(done(), undefined, "Coze has not answered yet");
  sent.destroy();
  program.child.kill("SIGTERM");
  t.equal(await program.ended(), 0);
  t.equal(sandbox.state.apps.size, 0);
  t.match(done(), { event: "request", aborted: true, attempts: [{ class: "ok" }] });
});

/** Options with which the process loads the code first: so the source needs no door for tests. */
const importing = (code: string) => ["--import", `data:text/javascript,${encodeURIComponent(code)}`];

/** The process runs the statement in a timer when it gets SIGUSR2. */
const failing = (statement: string) =>
  importing(`process.on("SIGUSR2", () => setTimeout(() => { ${statement} }))`);

for (const [name, statement] of Object.entries({
  "an exception that nobody caught": 'throw new Error("boom")',
  "a rejection that nobody handled": 'Promise.reject(new Error("boom"))',
})) {
  t.test(`${name}: logged, what is under way is answered, exit 1`, async (t) => {
    const { program, url, authorization, sandbox } = await serve(t, {}, failing(statement));
    sandbox.faults.add({ delay_ms: 500 });
    const slow = call(`${url}/v1/api_apps`, "GET", { authorization });
    await eventually("the call to reach Coze", () => sandbox.calls.length > 0);
    program.child.kill("SIGUSR2");
    t.equal((await slow).status, 200);
    t.equal(await program.ended(), 1);
    const fatal = program.lines().find(({ event }) => event === "fatal");
    t.match(fatal, { level: "fatal", err: { type: "Error", stack: /^Error: boom\n/ } });
    t.strictSame(events(program).slice(-1), ["stopped"]);
  });
}

t.test("an exception ends a drain at once", async (t) => {
  const { program } = await serve(t, { DRAIN_DELAY_MS: "300000" }, failing('throw new Error("boom")'));
  program.child.kill("SIGTERM");
  await program.prints(/"event":"draining","delay_ms":300000/);
  program.child.kill("SIGUSR2");
  t.equal(await program.ended(), 1);
  t.equal(events(program).filter((event) => event === "fatal").length, 1);
});

t.test("after an exception nothing is served on for the drain delay", async (t) => {
  const { program } = await serve(t, { DRAIN_DELAY_MS: "300000" }, failing('throw new Error("boom")'));
  program.child.kill("SIGUSR2");
  t.equal(await program.ended(), 1);
  t.match(
    program.lines().find(({ event }) => event === "draining"),
    { delay_ms: 0 },
  );
});

/** Ways in which a stop goes wrong, and what is logged last then. */
const stuck = {
  hangs: ['import { Server } from "node:http"; Server.prototype.close = () => {};', "draining"],
  fails: [
    `process.on("SIGTERM", () => {
      const { toISOString } = Date.prototype;
      Date.prototype.toISOString = () => { Object.assign(Date.prototype, { toISOString }); throw new Error("no"); };
    });`,
    "fatal",
  ],
} as const;

for (const [name, [patch, last]] of Object.entries(stuck)) {
  t.test(`a stop that ${name} ends with exit 1`, async (t) => {
    // The bound for stopping is then 5.1 s.
    const timeouts = { REQUEST_TIMEOUT_MS: "100", ATTEMPT_TIMEOUT_MS: "100" };
    const { program } = await serve(t, timeouts, importing(patch));
    program.child.kill("SIGTERM");
    t.equal(await program.ended(), 1);
    t.equal(events(program).at(-1), last);
  });
}

t.test("the first line of readiness says which version serves, and in front of which Coze", async (t) => {
  const { program, cozeUrl, url } = await serve(t);
  const line = program.lines().find(({ event }) => event === "listening");
  t.match(line, { version: /^\d+\.\d+\.\d+$/, coze_base_url: cozeUrl, url });
  program.child.kill("SIGTERM");
  t.equal(await program.ended(), 0);
});

t.test("serve without --sandbox never loads the sandbox", async (t) => {
  const hook = `import { registerHooks } from "node:module";
    registerHooks({ load(url, context, next) {
      if (url.includes("/src/")) process.stderr.write("loaded " + url + "\\n");
      return next(url, context);
    } });`;
  const watching = importing(hook);
  const { program } = await serve(t, {}, watching);
  program.child.kill("SIGTERM");
  t.equal(await program.ended(), 0);
  t.match(program.stderr(), "src/gateway.ts");
  t.notMatch(program.stderr(), "src/sandbox/");
  const demo = startProgram(t, ["serve", "--sandbox"], ports, watching);
  await demo.prints(/Stop with Ctrl-C/);
  demo.child.kill("SIGTERM");
  t.equal(await demo.ended(), 0);
  t.match(demo.stderr(), "src/sandbox/coze.ts", "the hook sees it when it is loaded");
});

t.test("audit verify ends with 1 and one line when it cannot say that the trail is whole", async (t) => {
  const folder = t.testdir({ "other.log": "no audit line\n" });
  const store = await openSqliteStore(`${folder}/audit.db`, { stream: "a.1" });
  await store.append([new Trail("a.1").next()], undefined);
  await store.close();
  const environment = { AUDIT_STORE: `sqlite:${folder}/audit.db` };
  const whole = startProgram(t, ["audit", "verify"], environment);
  t.equal(await whole.ended(), 0);
  t.match(whole.stdout(), "The trail is whole.");
  const wrong = startProgram(t, ["audit", "verify", "--anchors", `${folder}/other.log`], environment);
  t.equal(await wrong.ended(), 1);
  t.match(wrong.stderr(), /^--anchors .*other\.log: holds no audit line[^\n]*\n$/);
});
