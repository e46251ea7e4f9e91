import { mkdir, readFile, rename, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import t from "tap";
import { hashKey, keyCredentialId, mintKey } from "../../../src/callers/key.ts";
import { parsePolicy } from "../../../src/callers/policy.ts";
import { keysRevoke } from "../../../src/commands/keys/revoke.ts";
import { eventually } from "../../config/eventually.ts";
import { call, callersYaml, startGateway, startSandbox } from "../../helpers/gateway.ts";
import { terminal } from "../files.ts";
import { startProgram } from "../process.ts";

const key = mintKey("billing");
const other = mintKey("billing");
const third = mintKey("reports");
const idOf = (each: string) => keyCredentialId(hashKey(each));

const yaml = `# who may call
callers:
  - id: billing
    keys:
      - sha256: ${hashKey(key)}  # laptop
      - sha256: ${hashKey(other)}
        expires_at: 2999-01-01T00:00:00Z
  - id: reports
    keys:
      - sha256: ${hashKey(third)}
`;

/** A callers file and how to revoke in it. */
function setUp(t: Pick<typeof import("tap").t, "testdir">, content: string | Buffer = yaml) {
  const path = join(t.testdir({ "callers.yaml": content }), "callers.yaml");
  const revoke = async (args: readonly string[], input?: string) => {
    const { printed, ...rest } = terminal({ CALLERS_FILE: path });
    await keysRevoke(args, { ...rest, ...(input !== undefined && { input: async () => input }) });
    return printed();
  };
  const left = async () => [...parsePolicy(await readFile(path)).credentials.keys()];
  return { path, revoke, left };
}

t.test("one key by its credential id", async (t) => {
  const { path, revoke } = setUp(t);
  const text = await revoke(["--credential-id", idOf(other)]);
  t.equal(
    text,
    `Taken out of ${path}:\n  key ${idOf(other)} of caller billing (lines 6-7)\n` +
      "Running gateways that read this file refuse them within 2 s.\n",
  );
  t.equal(
    await readFile(path, "utf8"),
    yaml.replace(`      - sha256: ${hashKey(other)}\n        expires_at: 2999-01-01T00:00:00Z\n`, ""),
  );
});

t.test("all keys of a caller", async (t) => {
  const { revoke, left } = setUp(t);
  const text = await revoke(["--caller", "billing"]);
  t.match(text, `key ${idOf(key)} of caller billing (line 5)`);
  t.match(text, `key ${idOf(other)} of caller billing (lines 6-7)`);
  t.strictSame(await left(), [hashKey(third)]);
});

t.test("a leaked key from standard input, bare or in the text where it was found", async (t) => {
  const inputs = [
    key,
    `${key}\n`,
    `"Authorization: Bearer ${key}", again ${key}`,
    `cgw_billing_${"A".repeat(43)} ${key}`,
  ];
  for (const input of inputs) {
    const { revoke, left } = setUp(t);
    const text = await revoke(["--stdin"], input);
    t.strictSame(await left(), [hashKey(other), hashKey(third)]);
    t.notMatch(text, key);
  }
});

t.test("standard input without one key is refused, and not shown", async (t) => {
  const { path, revoke } = setUp(t);
  const cases: [input: string | undefined, message: string][] = [
    [undefined, "Standard input holds no caller key."],
    ["", "Standard input holds no caller key."],
    ["hunter2", "Standard input holds no caller key."],
    [key.slice(0, -1), "Standard input holds no caller key."],
    [`cgw_billing_${"A".repeat(43)}`, "Standard input holds no caller key."],
    [`${key} ${third}`, "Standard input holds several caller keys."],
  ];
  for (const [input, message] of cases)
    await t.rejects(revoke(["--stdin"], input), { name: "CommandFailure", message });
  t.equal(await readFile(path, "utf8"), yaml);
});

t.test("a key that is not there is a failure, and changes nothing", async (t) => {
  const { path, revoke } = setUp(t);
  const unknown = mintKey("billing");
  const cases: [args: string[], what: string][] = [
    [["--credential-id", idOf(unknown)], idOf(unknown)],
    [["--stdin"], idOf(unknown)],
    [["--caller", "nobody"], "of caller nobody"],
  ];
  for (const [args, what] of cases) {
    await t.rejects(revoke(args, unknown), {
      name: "CommandFailure",
      message: `There is no key ${what} in ${path}; nothing was changed.`,
    });
  }
  t.equal(await readFile(path, "utf8"), yaml);
});

t.test("where the file cannot be changed, it says what to change at its source", async (t) => {
  const { path, revoke } = setUp(t);
  const folder = join(path, "..");
  await mkdir(join(folder, "..2027_01_31"));
  await rename(path, join(folder, "..2027_01_31", "callers.yaml"));
  await symlink("..2027_01_31", join(folder, "..data"));
  await symlink("..data/callers.yaml", path);
  await t.rejects(revoke(["--caller", "billing"]), {
    name: "CommandFailure",
    message:
      `${path} is mounted from a Kubernetes Secret or ConfigMap. Nothing was changed: the keys still work.\n` +
      `Take these out where the file comes from:\n  key ${idOf(key)} of caller billing (line 5)\n` +
      `  key ${idOf(other)} of caller billing (lines 6-7)`,
  });
  t.equal(await readFile(path, "utf8"), yaml);
});

t.test("a file that is no good is left alone", async (t) => {
  const cases: [content: string | Buffer, problem: RegExp][] = [
    [yaml.replace("reports", "Reports"), /callers\.1\.id: must be/],
    [Buffer.concat([Buffer.from(yaml), Buffer.from([0x23, 0xff])]), /: not UTF-8$/],
  ];
  for (const [content, problem] of cases) {
    const { path, revoke } = setUp(t);
    await writeFile(path, content);
    await t.rejects(revoke(["--caller", "billing"]), { name: "ConfigError", problems: [problem] });
    t.same(await readFile(path), Buffer.from(content));
  }
});

t.test("wrong words are told what is right", async (t) => {
  const { revoke } = setUp(t);
  const one = "keys revoke takes one of --credential-id HEX16, --caller ID and --stdin";
  const cases: [args: string[], message: string][] = [
    [[], one],
    [["--caller", "billing", "--stdin"], one],
    [["--caller", "billing", "--credential-id", idOf(key)], one],
    [["--caller", "Billing"], "--caller must be the id of a caller"],
    ...[idOf(key).slice(1), idOf(key).toUpperCase().padEnd(16, "A"), hashKey(key), key, ""].map(
      (id): [string[], string] => [
        [`--credential-id=${id}`],
        "--credential-id must be the 16 hex digits that keys list and the audit trail show",
      ],
    ),
  ];
  for (const [args, message] of cases) await t.rejects(revoke(args, key), { name: "UsageError", message });
  await t.rejects(revoke([key]), { code: /^ERR_PARSE_ARGS/ });
});

t.test("a running gateway refuses a revoked key, and goes on taking the others", async (t) => {
  const coze = await startSandbox(t);
  const grants = [{ permissions: ["listApiApp"], api_app_ids: "all" as const }];
  const gateway = await startGateway(t, coze.url, {}, [{ id: "billing", key, grants }]);
  const status = async (each: string) =>
    (await call(`${gateway.url}/v1/api_apps`, "GET", { authorization: `Bearer ${each}` })).status;
  t.equal(await status(key), 200);
  const { printed: _, ...rest } = terminal({ CALLERS_FILE: join(gateway.folder, "callers.yaml") });
  await keysRevoke(["--stdin"], { ...rest, input: async () => key });
  await eventually("the key to be refused", async () => (await status(key)) === 401);
  t.equal(await status(gateway.key), 200);
});

t.test("as a program: the key comes by standard input", async (t) => {
  const folder = t.testdir({ "callers.yaml": callersYaml([{ id: "billing", key }]) });
  const environment = { CALLERS_FILE: join(folder, "callers.yaml") };
  const program = startProgram(t, ["keys", "revoke", "--stdin"], environment);
  program.child.stdin.end(key);
  t.equal(await program.ended(), 0, program.stderr());
  t.match(program.stdout(), idOf(key));
  const again = startProgram(t, ["keys", "revoke", "--stdin"], environment);
  again.child.stdin.end(key);
  t.equal(await again.ended(), 1);
  t.match(again.stderr(), /^There is no key [0-9a-f]{16} in .*; nothing was changed\.\n$/);
});
