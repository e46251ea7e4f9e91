import { createHash } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import t, { type Test } from "tap";
import { token as tokenCommand } from "../../src/commands/token.ts";
import { eventually } from "../config/eventually.ts";
import { appId, keyId, keyPair } from "../coze/token/oauth.ts";
import { startSandbox, token } from "../helpers/gateway.ts";
import { files, problemsOf, terminal } from "./files.ts";
import { startProgram } from "./process.ts";

const fingerprint = createHash("sha256").update(token).digest("hex").slice(0, 12);
const { pem } = keyPair();
/** Nothing listens there. */
const nowhere = { ADMIN_PORT: "9" };

/** What the command prints, and the one line with which it fails, if it does. */
async function run(environment: NodeJS.ProcessEnv, ...args: readonly string[]) {
  const { printed, ...rest } = terminal(environment);
  const failure = await tokenCommand(["status", ...args], { ...rest }).then(
    () => undefined,
    (error) => {
      if (error.name !== "CommandFailure") throw error;
      return error.message;
    },
  );
  return { printed: printed(), failure };
}

/** Something that is no gateway, on a port of its own. */
async function startOther(t: Test, body: string) {
  const server = createServer((_, reply) => reply.setHeader("content-type", "application/json").end(body));
  t.teardown(() => server.close());
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return String((server.address() as AddressInfo).port);
}

t.test("a gateway that runs beside is asked", async (t) => {
  const coze = await startSandbox(t);
  const { environment, folder } = files(t);
  const gateway = startProgram(t, ["serve"], { ...environment, COZE_BASE_URL: coze.url, LOG_LEVEL: "info" });
  const [, port = ""] = await gateway.prints(/"admin_url":"http:\/\/127\.0\.0\.1:(\d+)"/);
  const beside = { ...environment, ADMIN_PORT: port };
  // Another token in the file of who asks: it is the gateway's that counts.
  const asked = startProgram(t, ["token", "status"], beside);
  t.equal(await asked.ended(), 0);
  t.match(
    asked.stdout(),
    new RegExp(
      `^gateway      http://127\\.0\\.0\\.1:${port}\nsource       file ${folder}/token\nstate        usable\n` +
        `generation   1\nfingerprint  ${fingerprint}\nin use for   \\d+ s\nexpires at   not known\n$`,
    ),
  );
  t.equal(asked.stderr(), "");
  const json = await run({ ...beside, HOST: "0.0.0.0" }, "--json");
  t.match(JSON.parse(json.printed), { state: "usable", generation: 1, fingerprint, reverted: false });
  t.equal(json.failure, undefined);
  await writeFile(join(folder, "token"), "two words");
  await eventually("the trouble", async () =>
    (await run(beside)).printed.includes("trouble      the token has blanks"),
  );
  for (const text of [asked.stdout(), json.printed, gateway.stdout()]) t.notMatch(text, token);
});

t.test("a gateway without a usable token", async (t) => {
  const answer = {
    source: "file /t",
    state: "expired",
    generation: 3,
    fingerprint: "0123456789ab",
    age_seconds: 7,
    expires_at: "2026-01-01T00:00:00.000Z",
    reverted: false,
    trouble: "HTTP 503, no JSON object",
  };
  const { environment } = files(t);
  const port = await startOther(t, JSON.stringify(answer));
  const { printed, failure } = await run({ ...environment, ADMIN_PORT: port });
  t.match(printed, "state        expired\ngeneration   3\nfingerprint  0123456789ab\nin use for   7 s\n");
  t.match(printed, "expires at   2026-01-01T00:00:00.000Z\ntrouble      HTTP 503, no JSON object\n");
  t.equal(failure, "There is no usable Coze token.");
  const reverted = await startOther(t, JSON.stringify({ ...answer, state: "usable", reverted: true }));
  t.match(await run({ ...environment, ADMIN_PORT: reverted }), {
    printed: "state        usable, but Coze rejects the newest token\n",
    failure: undefined,
  });
});

t.test("when none answers, that is said, and the source is read", async (t) => {
  const { environment, folder } = files(t, { "key.pem": pem, "bad.pem": "no key" });
  const { COZE_TOKEN_FILE: _, ...others } = environment;
  const oauth = { COZE_OAUTH_APP_ID: appId, COZE_OAUTH_KEY_ID: keyId };
  const cases: Record<string, [NodeJS.ProcessEnv, lines: string, usable: boolean]> = {
    "a file": [environment, `state        usable\ngeneration   1\nfingerprint  ${fingerprint}\n`, true],
    "a missing file": [
      { ...environment, COZE_TOKEN_FILE: join(folder, "none") },
      "state        missing\ngeneration   0\ntrouble      ENOENT",
      false,
    ],
    "the variable": [
      { ...others, COZE_TOKEN: token },
      "source       variable COZE_TOKEN\nstate        usable\n",
      true,
    ],
    "a bad variable": [
      { ...others, COZE_TOKEN: "a b" },
      "state        missing\ngeneration   0\ntrouble      the token has blanks",
      false,
    ],
    OAuth: [
      { ...others, ...oauth, COZE_OAUTH_PRIVATE_KEY_FILE: join(folder, "key.pem") },
      `source       OAuth app ${appId}\nstate        missing\ngeneration   0\ntrouble      not minted here; the key file is good`,
      false,
    ],
    "OAuth with a bad key": [
      { ...others, ...oauth, COZE_OAUTH_PRIVATE_KEY_FILE: join(folder, "bad.pem") },
      "trouble      not an unencrypted private key",
      false,
    ],
  };
  for (const [name, [each, lines, usable]] of Object.entries(cases)) {
    const { printed, failure } = await run({ ...each, ...nowhere });
    t.equal(printed.split("\n")[0], "no gateway answers at http://127.0.0.1:9; read from the source", name);
    t.match(printed, lines, name);
    t.equal(failure, usable ? undefined : "There is no usable Coze token.", name);
    t.notMatch(printed, token);
  }
});

t.test("what listens there and is no gateway is not believed", async (t) => {
  const { environment } = files(t);
  for (const body of ["hello", "{}", '{"status":"ok"}', "[]"]) {
    const { printed } = await run({ ...environment, ADMIN_PORT: await startOther(t, body) });
    t.match(printed, /^no gateway answers at http:\/\/127\.0\.0\.1:\d+; read from the source\n/, body);
  }
  const { printed } = await run({ ...environment, HOST: "::1", ADMIN_PORT: "9" });
  t.match(printed, /^no gateway answers at http:\/\/\[::1\]:9;/);
  t.match(
    (await run({ ...environment, HOST: "::", ADMIN_PORT: "9" })).printed,
    /at http:\/\/127\.0\.0\.1:9;/,
  );
});

t.test("as a process without a usable token it ends with 1, and one line says why", async (t) => {
  const { environment, folder } = files(t);
  const lost = { ...environment, ...nowhere, COZE_TOKEN_FILE: join(folder, "none") };
  const program = startProgram(t, ["token", "status"], lost);
  t.equal(await program.ended(), 1);
  t.equal(program.stderr(), "There is no usable Coze token.\n");
});

t.test("it needs no callers and no audit store, but one source of the token", async (t) => {
  t.match(await run({ COZE_TOKEN: token, ...nowhere }), { failure: undefined });
  const problemsIn = (environment: NodeJS.ProcessEnv) =>
    problemsOf(tokenCommand(["status"], terminal(environment)));
  t.match(await problemsIn({ COZE_TOKEN: token, COZE_TOKENS: "x", ADMIN_PORT: "y" }), [
    /^COZE_TOKENS: not a variable of this program/,
    "ADMIN_PORT: must be a whole number",
  ]);
  t.match(await problemsIn({ COZE_TOKEN: token, COZE_TOKEN_FILE: "x" }), [/^COZE_TOKEN, COZE_TOKEN_FILE: /]);
  t.match(await problemsIn({}), [/^COZE_TOKEN_FILE: missing/]);
});

t.test("it takes one word", async (t) => {
  for (const args of [[], ["value"], ["status", "now"]])
    await t.rejects(tokenCommand(args, terminal({ COZE_TOKEN: token })), { name: "UsageError" });
  await t.rejects(tokenCommand(["status", "--show"], terminal()), { code: /^ERR_PARSE_ARGS/ });
});
