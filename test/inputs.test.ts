import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pino } from "pino";
import t from "tap";
import { mintKey } from "../src/callers/key.ts";
import { loadConfig } from "../src/config/config.ts";
import { openAuditStore, openCallers, openToken } from "../src/inputs.ts";
import { files, problemsOf } from "./commands/files.ts";
import { eventually } from "./config/eventually.ts";
import { call, callersYaml, startGateway, startSandbox, type TestGateway, token } from "./helpers/gateway.ts";

/** The status of a list call with the key. */
async function statusWith(gateway: TestGateway, key: string): Promise<number> {
  return (await call(`${gateway.url}/v1/api_apps`, "GET", { authorization: `Bearer ${key}` })).status;
}

t.test(
  "a changed callers file: a new key is taken and a removed one refused, without a restart",
  async (t) => {
    const coze = await startSandbox(t);
    const gateway = await startGateway(t, coze.url);
    const added = mintKey("added");
    t.equal(await statusWith(gateway, gateway.key), 200);
    t.equal(await statusWith(gateway, added), 401);
    await writeFile(join(gateway.folder, "callers.yaml"), callersYaml([{ id: "added", key: added }]));
    await eventually("the new key to be taken", async () => (await statusWith(gateway, added)) === 200);
    t.equal(await statusWith(gateway, gateway.key), 401);
    const loaded = gateway.lines().filter(({ event }) => event === "callers_loaded");
    t.match(loaded, [
      { level: "info", callers: 1 },
      { level: "info", callers: 1 },
    ]);
  },
);

t.test(
  "a broken callers file: the last good one stays, the error is logged once, a good one is taken",
  async (t) => {
    const coze = await startSandbox(t, new Map(["1", "2"].map((suffix) => [token + suffix, "all" as const])));
    const gateway = await startGateway(t, coze.url);
    const path = join(gateway.folder, "callers.yaml");
    const good = await readFile(path);
    const unusable = () => gateway.lines().filter(({ event }) => event === "callers_file_unusable");
    const troubles: [make: () => Promise<void>, problem: RegExp][] = [
      [() => writeFile(path, "callers: ["), /^not valid YAML/],
      [() => rm(path), /^ENOENT/],
      [() => writeFile(path, ""), /^file: /],
    ];
    for (const [index, [make, problem]] of troubles.entries()) {
      await make();
      await eventually("the error to be logged", () => unusable().length > index);
      t.equal(await statusWith(gateway, gateway.key), 200, "the last good file is in force");
      t.match(unusable()[index], { level: "error", problem });
    }
    // Two more looks, as a later one of the token file shows, and still the same three lines.
    for (const suffix of ["1", "2"]) {
      await writeFile(join(gateway.folder, "token"), token + suffix);
      await eventually("a look at the files", () =>
        gateway.text().includes(`"generation":${1 + Number(suffix)}`),
      );
    }
    t.equal(unusable().length, 3);
    const recovered = (event: string) => gateway.lines().filter((line) => line["event"] === event).length;
    await writeFile(join(gateway.folder, "token"), "two words");
    await eventually("the token file's error", () => recovered("token_file_unusable") === 1);
    await writeFile(join(gateway.folder, "token"), `${token}2`);
    await writeFile(path, good);
    await eventually(
      "both recoveries",
      () => recovered("token_file_usable") + recovered("callers_file_usable") === 2,
    );
    const added = mintKey("added");
    await writeFile(path, callersYaml([{ id: "added", key: added }]));
    await eventually("the new key to be taken", async () => (await statusWith(gateway, added)) === 200);
  },
);

/** A log that can be read. */
function collect() {
  const lines: Record<string, unknown>[] = [];
  return { lines, log: pino({}, { write: (line) => void lines.push(JSON.parse(line)) }) };
}

t.test("a token or callers file that cannot be used is a mistake of the configuration", async (t) => {
  const { environment } = files(t);
  const { COZE_TOKEN_FILE: _, ...others } = environment;
  const config = loadConfig({ ...others, COZE_TOKEN: "a b c d e f", CALLERS_FILE: "/none" });
  const { log } = collect();
  t.strictSame(await problemsOf(openToken(config, log)), [
    "COZE_TOKEN: the token has blanks or characters that a header cannot carry",
  ]);
  t.match(await problemsOf(openCallers(config, log)), [/^CALLERS_FILE \/none: ENOENT/]);
  const unnamed = { ...config, COZE_TOKEN: undefined, CALLERS_FILE: undefined };
  t.match(await problemsOf(openCallers(unnamed, log)), [/^CALLERS_FILE : ENOENT/]);
  const waiting = await openToken(unnamed, log);
  t.equal(waiting.generation, 0, "a token file that is missing is waited for");
  waiting.close();
});

t.test("the audit store is opened once, for a stream of this process", async (t) => {
  const { environment } = files(t);
  const { lines, log } = collect();
  const { stream, connection } = await openAuditStore(loadConfig(environment), log);
  t.match(stream, /^[A-Za-z0-9._-]+\.[0-9a-f]{16}$/);
  const store = await connection.get();
  t.equal(await store.claim(stream), false, "it is its own");
  t.strictSame(await store.heads(), []);
  await connection.close();
  t.strictSame(lines, []);
});

t.test("a store that cannot work as it is stops the start", async (t) => {
  const { environment, folder } = files(t, { "audit.db": "x".repeat(5000) });
  const { log } = collect();
  const problems = await problemsOf(openAuditStore(loadConfig(environment), log));
  t.match(problems, [new RegExp(`^AUDIT_STORE sqlite:${folder}/audit\\.db: `)]);
  t.match(problems[0], "is damaged or no database");
});

t.test("a store that may pass is tried again, and its password does not show", async (t) => {
  const { environment } = files(t);
  const { lines, log } = collect();
  // Nothing listens there.
  const url = "postgres://audit:CANARY@127.0.0.1:9/audit";
  const { connection } = await openAuditStore(loadConfig({ ...environment, AUDIT_STORE: url }), log);
  t.match(lines, [{ level: 50, event: "audit_failure", problem: /ECONNREFUSED/ }]);
  t.notMatch(JSON.stringify(lines), "CANARY");
  await t.rejects(connection.get(), { name: "StoreError", permanent: false }, "it was tried again");
  await connection.close();
});
