import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import t from "tap";
import { openSqliteStore } from "../../src/audit/sqlite/store.ts";
import { mintKey } from "../../src/callers/key.ts";
import { check } from "../../src/commands/check.ts";
import { serve } from "../../src/commands/serve.ts";
import { variables } from "../../src/config/variables.ts";
import { keyPair } from "../coze/token/oauth.ts";
import { callersYaml, token } from "../helpers/gateway.ts";
import { files, problemsOf, terminal } from "./files.ts";

/** What `check` finds wrong; empty when it is content. */
const checked = (environment: NodeJS.ProcessEnv) => problemsOf(check([], terminal(environment)));

t.test("prints what serve would run with, and no secret", async (t) => {
  const keys = [mintKey("billing"), mintKey("old")] as const;
  const grants = () => [{ permissions: ["listApiApp"], api_app_ids: "all" as const }];
  const { environment, folder } = files(t, {
    "callers.yaml": callersYaml([
      { id: "billing", key: keys[0], expiresAt: new Date(Date.now() + 86_400_000).toISOString() },
      { id: "old", key: keys[1], grants: grants(), expiresAt: "2020-01-01T00:00:00Z" },
      { id: "eternal", key: mintKey("eternal"), grants: [] },
    ]),
  });
  const { COZE_TOKEN_FILE: _, ...others } = environment;
  const { printed, ...rest } = terminal({ ...others, COZE_TOKEN: token });
  t.equal(await check([], rest), undefined);
  const lines = printed().split("\n");
  for (const name of Object.keys(variables.shape)) {
    t.equal(lines.filter((line) => line.startsWith(`${name} = `)).length, 1, name);
  }
  for (const line of [
    "COZE_TOKEN = [redacted]",
    "COZE_TOKEN_FILE = (not set)",
    `CALLERS_FILE = ${folder}/callers.yaml`,
    "COZE_ALLOW_HTTP = false",
    "DRAIN_DELAY_MS = 0",
    "caller billing: 1 of 1 keys live, 0 identities, 1 grants",
    "caller old: 0 of 1 keys live, 0 identities, 1 grants",
    "caller eternal: 1 of 1 keys live, 0 identities, 0 grants",
  ]) {
    t.ok(lines.includes(line), line);
  }
  t.equal(lines.at(-2), "The configuration is good.");
  for (const secret of [token, ...keys]) t.notMatch(printed(), secret);
});

t.test("every mistake of environment, callers and token at once", async (t) => {
  const { environment, folder } = files(t, { token: "two\nlines", "callers.yaml": "callers: [{ id: A }]" });
  const problems = await checked({ ...environment, PORT: "x", COZE_X: "y" });
  t.match(problems, [
    /^COZE_X: not a variable/,
    /^PORT: must be/,
    `COZE_TOKEN_FILE ${folder}/token: the token has more than one line`,
    /^CALLERS_FILE .*callers\.yaml: callers\.0\.id: must be/,
  ]);
  t.equal(problems.length, 4);
  t.match(await checked({}), [/^COZE_TOKEN_FILE: missing/, /^CALLERS_FILE: missing/]);
});

t.test("the audit store is looked at, and not made", async (t) => {
  const { environment, folder } = files(t, {
    "other.db": "this is no database at all, just a file\n".repeat(99),
  });
  t.strictSame(await checked(environment), [], "one that is not there yet is made by serve");
  t.notOk(existsSync(join(folder, "audit.db")));
  const store = await openSqliteStore(join(folder, "audit.db"), { stream: "a.1" });
  t.strictSame(await checked(environment), [], "one that is being written");
  await store.close();
  t.match(await checked({ ...environment, AUDIT_STORE: `sqlite:${folder}/other.db` }), [
    /^AUDIT_STORE sqlite:.*other\.db: /,
  ]);
  const away = { ...environment, AUDIT_STORE: "postgres://gateway:secret@127.0.0.1:1/audit" };
  t.strictSame(await checked(away), [], "one that cannot be reached now is waited for by serve");
});

t.test("it takes what serve takes, and refuses what serve refuses", async (t) => {
  const { environment, folder } = files(t);
  const { COZE_TOKEN_FILE: _, CALLERS_FILE = "", ...others } = environment;
  const big = `# ${"x".repeat(4 * 1024 * 1024)}`;
  const good = callersYaml([{ id: "a", key: mintKey("a") }]);
  const fits = good + big.slice(0, 4 * 1024 * 1024 - good.length);
  const cases: Record<string, [NodeJS.ProcessEnv, content: string | undefined, problem: RegExp | undefined]> =
    {
      "good files": [environment, good, undefined],
      "a callers file of 4 MB": [environment, fits, undefined],
      "a callers file of 4 MB and a byte": [environment, `${fits}x`, /: larger than 4194304 bytes$/],
      "no callers file": [environment, undefined, /^CALLERS_FILE .*ENOENT/],
      "a broken callers file": [environment, "callers: [", /: not valid YAML/],
      "an empty list": [environment, "callers: []", undefined],
      "a good COZE_TOKEN": [{ ...others, CALLERS_FILE, COZE_TOKEN: token }, good, undefined],
      "a bad COZE_TOKEN": [
        { ...others, CALLERS_FILE, COZE_TOKEN: "a b" },
        good,
        /^COZE_TOKEN: the token has/,
      ],
      "a blank COZE_TOKEN": [
        { ...others, CALLERS_FILE, COZE_TOKEN: " " },
        good,
        /^COZE_TOKEN: the token is empty$/,
      ],
      "a directory for a callers file": [
        { ...environment, CALLERS_FILE: folder },
        good,
        /: not a regular file$/,
      ],
      "both ports the same": [{ ...environment, PORT: "9", ADMIN_PORT: "9" }, good, /^PORT, ADMIN_PORT: /],
    };
  for (const [name, [each, content, problem]] of Object.entries(cases)) {
    await rm(CALLERS_FILE, { force: true });
    if (content !== undefined) await writeFile(CALLERS_FILE, content);
    const problems = await checked(each);
    t.equal(problems.length, problem ? 1 : 0, name);
    if (problem) t.match(problems[0], problem, name);
    const served = serve([], terminal({ ...each, LOG_LEVEL: "error" })).then(({ stop }) => stop(true));
    t.strictSame(await problemsOf(served), problems, `${name}: serve`);
  }
});

t.test("a token file that cannot be used is a mistake here, though serve would wait for it", async (t) => {
  const { environment, folder } = files(t);
  const at = (name: string) => ({ ...environment, COZE_TOKEN_FILE: `${folder}/${name}` });
  execFileSync("mkfifo", [`${folder}/pipe`]);
  await writeFile(`${folder}/big`, "x".repeat(64 * 1024 + 1));
  await writeFile(`${folder}/newline`, "\n");
  for (const [name, problem] of Object.entries({
    missing: /ENOENT/,
    "": /: not a regular file$/,
    pipe: /: not a regular file$/,
    big: /: larger than 65536 bytes$/,
    newline: /: the token is empty$/,
  })) {
    t.match(await checked(at(name)), [problem], name);
  }
});

t.test("OAuth: the key file is read, and nothing is minted", async (t) => {
  const { environment, folder } = files(t, { "key.pem": keyPair().pem, "small.pem": keyPair(1024).pem });
  const oauth = {
    COZE_TOKEN_FILE: "",
    COZE_OAUTH_APP_ID: "1",
    COZE_OAUTH_KEY_ID: "k",
    COZE_BASE_URL: "http://127.0.0.1:9",
  };
  const at = (name: string) => ({
    ...environment,
    ...oauth,
    COZE_OAUTH_PRIVATE_KEY_FILE: join(folder, name),
  });
  t.strictSame(await checked(at("key.pem")), []);
  t.strictSame(await checked(at("small.pem")), [
    `COZE_OAUTH_PRIVATE_KEY_FILE ${folder}/small.pem: the private key must have at least 2048 bits, not 1024`,
  ]);
  t.match(await checked(at("none")), [/^COZE_OAUTH_PRIVATE_KEY_FILE .*: ENOENT/]);
});

t.test("it takes no words and no options", async (t) => {
  for (const args of [["all"], ["--verbose"]]) {
    await t.rejects(check(args, terminal(files(t).environment)), { code: /^ERR_PARSE_ARGS/ });
  }
});
