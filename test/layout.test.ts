import { existsSync, globSync, readFileSync } from "node:fs";
import { join, posix } from "node:path";
import { fileURLToPath } from "node:url";
import t from "tap";

const root = fileURLToPath(new URL("../", import.meta.url));
const sources = new Map(
  globSync("src/**/*.ts", { cwd: root })
    .sort()
    .map((path) => [path, readFileSync(join(root, path), "utf8")] as const),
);

/** The code without comments and without what stands in quotes; a template keeps its expressions. */
function codeOf(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\/|(?<=^|\s)\/\/.*|"(?:\\.|[^"\\\n])*"/gm, (found) =>
    found.startsWith('"') ? '""' : "",
  );
}

/** What a file imports of ours, types counted; `dynamic` when it is loaded on demand. */
function importsOf(path: string, text: string): { readonly target: string; readonly dynamic: boolean }[] {
  const pattern = /(?:\bfrom|^import|(\bimport)\()\s*"(\.[^"]+)"/gm;
  return [...text.matchAll(pattern)].map(([, dynamic, target = ""]) => ({
    target: posix.join(posix.dirname(path), target),
    dynamic: dynamic !== undefined,
  }));
}

/** From the top to the bottom of DESIGN section 8: a file imports from its own folder and from lower layers only. */
const layers: readonly (readonly string[])[] = [
  ["src/main.ts"],
  ["src/commands"],
  ["src/sandbox"],
  ["src/gateway.ts"],
  ["src/wire.ts"],
  ["src/inputs.ts", "src/gate.ts"],
  ["src/app.ts"],
  ["src/http"],
  ["src/callers", "src/coze", "src/audit"],
  ["src/operations"],
  ["src/operation.ts", "src/errors.ts", "src/config", "src/telemetry"],
  ["src/secret.ts"],
];

/** The part of the program that a file belongs to: its folder, or itself at the top. */
function partOf(path: string): string {
  return path.split("/").length === 2 ? path : path.split("/").slice(0, 2).join("/");
}

const depthOf = (path: string) => layers.findIndex((layer) => layer.includes(partOf(path)));

t.test("every file has its place in the layers, and every layer has files", async (t) => {
  t.ok(sources.size > 40);
  for (const path of sources.keys()) t.not(depthOf(path), -1, path);
  const parts = new Set([...sources.keys()].map(partOf));
  for (const part of layers.flat()) t.ok(parts.has(part), part);
});

t.test("imports point one way", async (t) => {
  for (const [path, text] of sources) {
    for (const { target } of importsOf(path, text)) {
      t.ok(sources.has(target), `${path} imports ${target}, which exists`);
      const inside = partOf(target) === partOf(path) && partOf(path) !== path;
      t.ok(inside || depthOf(target) > depthOf(path), `${path} imports ${target}`);
    }
  }
});

t.test("no file imports itself by any way round, types counted", async (t) => {
  const reached = (from: string, seen = new Set<string>()): Set<string> => {
    for (const { target } of importsOf(from, sources.get(from) ?? "")) {
      if (seen.has(target)) continue;
      seen.add(target);
      reached(target, seen);
    }
    return seen;
  };
  for (const path of sources.keys()) t.notOk(reached(path).has(path), path);
  t.ok(reached("src/main.ts").has("src/secret.ts"), "the walk goes all the way down");
});

t.test("the sandbox is loaded on demand only", async (t) => {
  let found = 0;
  for (const [path, text] of sources) {
    for (const { target, dynamic } of importsOf(path, text)) {
      if (partOf(target) !== "src/sandbox" || partOf(path) === "src/sandbox") continue;
      found += 1;
      t.ok(dynamic, `${path} imports ${target} dynamically`);
      t.equal(partOf(path), "src/commands");
    }
  }
  t.equal(found, 2);
});

t.test("only main.ts reads the environment and ends the process", async (t) => {
  for (const [path, text] of sources) {
    if (path !== "src/main.ts") t.notMatch(codeOf(text), /process\.(env|exit|abort|kill|exitCode)\b/, path);
    t.notMatch(codeOf(text), /process\s*\[|\{[^{}]*\}\s*=\s*process\b|from "(node:)?process"/, path);
  }
  t.match(codeOf(sources.get("src/main.ts") ?? ""), /process\.env\b[\s\S]*process\.exit\b/);
});

/** The texts of all calls of the function, parentheses matched. */
function callsOf(name: string, code: string): string[] {
  return [...code.matchAll(new RegExp(`\\b${name}\\(`, "g"))].map(({ index }) => {
    let depth = 0;
    for (let at = code.indexOf("(", index); at < code.length; at++) {
      depth += code[at] === "(" ? 1 : code[at] === ")" ? -1 : 0;
      if (depth === 0) return code.slice(index, at + 1);
    }
    throw new Error(`${name}( without an end`);
  });
}

t.test(
  "hooks refuse by throwing: with an async onSend hook a sent reply would still reach the handler",
  async (t) => {
    const bad =
      "app.addHook('onRequest', async (_, reply) => { if (no()) { await reply.code(403).send(1); } }); send()";
    t.match(callsOf("addHook", bad), [/\.send\(/], "the check sees what it is there to see");
    const hooks = [...sources].flatMap(([path, text]) =>
      callsOf("addHook", codeOf(text)).map((call) => ({ path, call })),
    );
    t.ok(hooks.length >= 4);
    for (const { path, call } of hooks) t.notMatch(call, /\.(send|redirect|hijack)\(/, path);
    // Hooks that a route names: all come from here.
    const routeHooks = [...sources].flatMap(
      ([, text]) => codeOf(text).match(/\b(on(Request|Send|Response)|pre[A-Z]\w+): .*/g) ?? [],
    );
    t.ok(routeHooks.length >= 3);
    for (const hook of routeHooks) t.match(hook, /^onRequest: guard\(\w+, gate\),$/);
    t.notMatch(codeOf(sources.get("src/http/guard.ts") ?? ""), /reply|\.send\(/);
  },
);

t.test("no file is longer than 250 lines", async (t) => {
  for (const [path, text] of sources) t.ok(text.split("\n").length - 1 <= 250, path);
});

t.test("no any", async (t) => {
  t.match(codeOf('x as any; // any\n"any"'), /^x as any; \n""$/);
  for (const [path, text] of sources) {
    t.notMatch(codeOf(text), /(?<![.\w])any(?!\w)|@ts-|biome-ignore|(c8|v8|istanbul) ignore/, path);
    t.notMatch(text, /@ts-(ignore|expect|nocheck)|biome-ignore|(c8|v8|istanbul) ignore/, path);
  }
});

/** Files without a test of their own, and why. */
const untested: Readonly<Record<string, string>> = {
  "src/commands/command.ts": "types, and an error that the tests of each command meet",
};

t.test("every file has a test of the same name, or a reason", async (t) => {
  const testOf = (path: string) => join(root, path.replace(/^src/, "test").replace(/\.ts$/, ".test.ts"));
  for (const path of sources.keys()) {
    t.not(
      existsSync(testOf(path)),
      path in untested,
      path in untested ? `${path} has a test after all` : path,
    );
  }
  for (const path of Object.keys(untested)) t.ok(sources.has(path), `${path} still exists`);
});
