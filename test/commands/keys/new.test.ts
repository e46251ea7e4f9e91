import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import t from "tap";
import { callerOfKey, hashKey } from "../../../src/callers/key.ts";
import { parsePolicy } from "../../../src/callers/policy.ts";
import { UsageError } from "../../../src/commands/command.ts";
import { keysNew } from "../../../src/commands/keys/new.ts";
import { eventually } from "../../config/eventually.ts";
import { call, startGateway, startSandbox } from "../../helpers/gateway.ts";
import { terminal } from "../files.ts";

/** The key that `keys new` prints and the lines for the callers file. */
async function mint(...options: readonly string[]) {
  const { printed, ...rest } = terminal();
  await keysNew(options, rest);
  const text = printed();
  return { text, key: text.slice(0, text.indexOf("\n")), yaml: text.slice(text.indexOf("callers:")) };
}

t.test("prints a new key once, and lines for the callers file without it", async (t) => {
  const { text, key, yaml } = await mint("--caller", "billing");
  t.equal(callerOfKey(key), "billing");
  t.equal(text.split(key).length, 2, "once");
  t.match(text, `credential_id ${hashKey(key).slice(0, 16)}.\n`);
  t.match(text, /two live keys: to rotate/);
  const { callers, credentials } = parsePolicy(yaml);
  t.match(callers, [{ id: "billing", grants: [{ permissions: ["listApiApp"], api_app_ids: "all" }] }]);
  t.same(
    [...credentials.values()].map(({ expiresAt }) => expiresAt),
    [Number.POSITIVE_INFINITY],
  );
  t.not((await mint("--caller", "billing")).key, key);
});

t.test("a key with an expiry", async (t) => {
  const cases = {
    "2999-01-01": Date.UTC(2999, 0, 1),
    "2999-01-01T12:00:00Z": Date.UTC(2999, 0, 1, 12),
    "2999-01-01T12:00:00+08:00": Date.UTC(2999, 0, 1, 4),
  };
  for (const [given, expected] of Object.entries(cases)) {
    const { yaml } = await mint("--caller=billing", `--expires=${given}`);
    t.same(
      [...parsePolicy(yaml).credentials.values()].map(({ expiresAt }) => expiresAt),
      [expected],
      given,
    );
  }
});

t.test("what is printed works: pasted into the callers file, the key opens the gateway", async (t) => {
  const coze = await startSandbox(t);
  const gateway = await startGateway(t, coze.url);
  const { key, yaml } = await mint("--caller", "billing", "--expires", "2999-01-01");
  const headers = { authorization: `Bearer ${key}` };
  const list = () => call(`${gateway.url}/v1/api_apps`, "GET", headers);
  t.equal((await list()).status, 401);
  await writeFile(join(gateway.folder, "callers.yaml"), yaml);
  await eventually("the new key to be taken", async () => (await list()).status === 200);
  const created = await call(`${gateway.url}/v1/api_apps`, "POST", headers, {
    app_type: "normal",
    name: "x",
  });
  t.equal(created.status, 403, "the lines grant listApiApp alone");
});

t.test("wrong words are refused with what would be right", async (t) => {
  const cases: [args: readonly string[], message: RegExp][] = [
    [[], /^--caller must name the caller/],
    ...["", "A", "a_b", "-a", "a".repeat(64), "a b"].map((id): [string[], RegExp] => [
      [`--caller=${id}`],
      /^--caller must name the caller: 1 to 63/,
    ]),
    ...[
      "",
      "soon",
      "2020-01-01",
      "2999",
      "2999-02-30",
      "2999-01-01T00:00:00",
      "12/31/2999",
      "20000-01-01",
    ].map((date): [string[], RegExp] => [
      ["--caller=a", `--expires=${date}`],
      /^--expires must be a date in the future/,
    ]),
  ];
  for (const [args, message] of cases) {
    const { printed, ...rest } = terminal();
    await t.rejects(keysNew(args, rest), Object.assign(new UsageError(""), { message }), args.join(" "));
    t.equal(printed(), "");
  }
  for (const args of [["--caller"], ["--caller=a", "new"], ["--name=a"]]) {
    await t.rejects(keysNew(args, terminal()), { code: /^ERR_PARSE_ARGS/ });
  }
});
