import { execFile, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import t from "tap";
import { mintKey } from "../src/callers/key.ts";
import { parsePolicy } from "../src/callers/policy.ts";
import { variables } from "../src/config/variables.ts";
import { stopReasons } from "../src/coze/retry-policy.ts";
import { gatewayErrors } from "../src/errors.ts";
import { operations } from "../src/operations/registry.ts";
import { startGateway, startSandbox } from "./helpers/gateway.ts";

const run = promisify(execFile);
const root = new URL("..", import.meta.url);
const read = (path: string) => readFileSync(new URL(path, root), "utf8");
const readme = read("README.md");
const manifest: { scripts: Record<string, string>; dependencies: Record<string, string> } = JSON.parse(
  read("package.json"),
);
const python = process.env["PYTHON"] ?? "python3";

/** The first fenced block of a language in which a text stands. */
function block(language: string, text: string): string {
  const blocks = [...readme.matchAll(new RegExp(`^\`\`\`${language}\n([\\s\\S]*?)^\`\`\`$`, "gm"))];
  return (
    blocks.map((match) => match[1] ?? "").find((code) => code.includes(text)) ?? `no ${language} with ${text}`
  );
}

/** The rows of the table whose head line is given, each as its cells without code marks. */
function table(head: string): string[][] {
  const [, after = ""] = readme.split(`${head}\n`);
  const [, ...rows] = after.split("\n");
  const end = rows.findIndex((row) => !row.startsWith("|"));
  return rows.slice(0, end).map((row) =>
    row
      .split("|")
      .slice(1, -1)
      .map((cell) => cell.trim().replaceAll("`", "")),
  );
}

t.test("the first two commands are scripts", async (t) => {
  const commands = [...block("sh", "npm start").matchAll(/^npm (\w+)/gm)].map((match) => match[1] ?? "");
  t.same(commands, ["start", "test"]);
  for (const command of commands) t.type(manifest.scripts[command], "string");
  const mentioned = [...readme.matchAll(/`npm run ([\w:]+)`/g)].map((match) => match[1] ?? "");
  t.ok(mentioned.length > 4);
  for (const name of mentioned) t.type(manifest.scripts[name], "string", name);
});

t.test("tables say what the code says", async (t) => {
  const rows = Object.entries(variables.shape).map(([name, schema]) => {
    const fallback = schema.safeParse(undefined);
    const text = fallback.success && fallback.data !== undefined ? String(fallback.data) : "";
    return [name, text, schema.description?.replaceAll("`", "")];
  });
  t.same(table("| variable | default | meaning |"), rows);
  t.same(
    table("| HTTP | code | gateway.error | meaning |"),
    Object.entries(gatewayErrors)
      .map(([word, { status, code, message }]) => [String(status), String(code), word, message])
      .sort(([, a = ""], [, b = ""]) => a.localeCompare(b)),
  );
  t.same(
    table("| operation | call | permission | retry class |"),
    operations.map(({ id, method, path, permission, idempotency }) => [
      id,
      `${method} ${path}`,
      permission,
      idempotency,
    ]),
  );
  const listed = /`gateway\.stopped` is one of ([^.]+)\./.exec(readme)?.[1] ?? "";
  t.same([...listed.matchAll(/`(\w+)`/g)].map(([, reason]) => reason).sort(), [...stopReasons].sort());
  const packages = table("| package | why |").flatMap(([names = ""]) => names.split(", "));
  t.same(packages.sort(), Object.keys(manifest.dependencies).sort());
  t.equal(
    new Set(table("| an attempt ended as | how that is known | safe, idempotent | once |").map(([a]) => a))
      .size,
    6,
  );
});

t.test("every command of the table is in the help", async (t) => {
  const { stdout } = await run(process.execPath, [new URL("src/main.ts", root).pathname, "help"]);
  const commands = table("| command | does |").map(([command = ""]) => command);
  t.ok(commands.length >= 7);
  for (const command of commands) t.match(stdout, `\n  ${command}`);
});

t.test("the callers file is one", async (t) => {
  t.same(
    parsePolicy(block("yaml", "callers:")).callers.map(({ id }) => id),
    ["billing"],
  );
});

t.test("callers files in the documentation are ones", async (t) => {
  for (const page of ["docs/callers.md", "docs/kubernetes-callers.md"]) {
    const files = [...read(page).matchAll(/^```yaml\n([\s\S]*?)^```$/gm)]
      .map(([, yaml = ""]) => yaml)
      .filter((yaml) => /^callers:/m.test(yaml));
    t.ok(files.length > 0, page);
    for (const yaml of files) t.doesNotThrow(() => parsePolicy(yaml), page);
  }
});

t.test("the examples work", async (t) => {
  const coze = await startSandbox(t);
  const gateway = await startGateway(t, coze.url);
  const folder = await mkdtemp(join(tmpdir(), "readme-"));
  t.teardown(() => rm(folder, { recursive: true }));
  const environment = { ...process.env, GATEWAY_URL: gateway.url, GATEWAY_KEY: gateway.key };

  t.test("TypeScript", async (t) => {
    const file = join(folder, "example.mts");
    await writeFile(file, block("ts", "fetch("));
    const { stdout } = await run(process.execPath, [file], { env: environment });
    const [app] = coze.sandbox.state.apps.values();
    t.equal(stdout, `created ${app?.id}\n`);
  });

  t.test(
    "curl",
    { skip: spawnSync("curl", ["--version"]).error !== undefined && "there is no curl" },
    async (t) => {
      const created = await gateway.call("POST", "/v1/api_apps", { app_type: "normal", name: "curl" });
      const { stdout } = await run("sh", ["-ec", block("sh", "curl -sS")], {
        env: { ...environment, APP_ID: created.body.data.id },
      });
      t.equal(stdout.match(/"code":0/g)?.length, 2);
      t.notOk(coze.sandbox.state.apps.has(created.body.data.id));
    },
  );

  const sdk = spawnSync(python, ["-W", "ignore", "-c", "import cozepy"]);
  t.test("Python SDK", { skip: sdk.status !== 0 && `${python} has no cozepy` }, async (t) => {
    coze.sandbox.calls.length = 0;
    const { stdout } = await run(python, ["-W", "ignore", "-c", block("python", "cozepy")], {
      env: environment,
    });
    t.equal(stdout, "bot.published\nbot.deleted\n");
    const calls = coze.sandbox.calls.map(({ method, url }) => `${method} ${url.replace(/\d{19}/, ":id")}`);
    t.same(calls, [
      "POST /v1/api_apps",
      "POST /v1/api_apps/:id/events",
      "GET /v1/api_apps/:id/events?page_size=20&page_token=",
      "DELETE /v1/api_apps/:id/events",
      "DELETE /v1/api_apps/:id",
    ]);
  });

  t.test(
    "Python SDK, pages without an app that the caller may see",
    { skip: sdk.status !== 0 },
    async (t) => {
      const key = mintKey("orders");
      const grants = [{ permissions: ["listApiApp"], api_app_ids: "own" as const }];
      const others = (count: number) =>
        Array.from({ length: count }, () =>
          coze.sandbox.state.create({ appType: "normal", connectorId: undefined, name: "of others" }),
        );
      others(45);
      const { state } = coze.sandbox;
      const mine = state.create({ appType: "normal", connectorId: undefined, name: "of orders" });
      others(45);
      const fenced = await startGateway(t, coze.url, {}, [{ id: "orders", key, grants }]);
      const adopt = ["owners", "adopt", "--api-app-id", mine.id, "--owner", "orders"];
      const AUDIT_STORE = `sqlite:${fenced.folder}/audit.db`;
      await run(process.execPath, [new URL("src/main.ts", root).pathname, ...adopt], {
        env: { ...process.env, AUDIT_STORE },
      });
      const program = [
        "import os",
        "from cozepy import Coze, TokenAuth",
        'coze = Coze(auth=TokenAuth(os.environ["GATEWAY_KEY"]), base_url=os.environ["GATEWAY_URL"])',
        "for app in coze.api_apps.list(page_size=20):",
        "    print(app.id, app.verify_token)",
      ].join("\n");
      const { stdout } = await run(python, ["-W", "ignore", "-c", program], {
        env: { ...environment, GATEWAY_URL: fenced.url, GATEWAY_KEY: key },
      });
      t.equal(stdout, `${mine.id} [redacted]\n`);
    },
  );
});
