import { generateKeyPairSync } from "node:crypto";
import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pino } from "pino";
import t from "tap";
import { mintKey } from "../../src/callers/key.ts";
import { openCallers } from "../../src/callers/watched-callers.ts";
import { problemsOf } from "../commands/files.ts";
import { eventually } from "../config/eventually.ts";
import {
  call,
  callersYaml,
  startGateway,
  startSandbox,
  type TestGateway,
  token,
} from "../helpers/gateway.ts";

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
  return { lines, log: pino({ base: null }, { write: (line: string) => void lines.push(JSON.parse(line)) }) };
}

t.test("a file that is missing or broken at the start is a mistake of the configuration", async (t) => {
  const { log } = collect();
  t.match(await problemsOf(openCallers({ CALLERS_FILE: "/none" }, log)), [/^CALLERS_FILE \/none: ENOENT/]);
  t.match(await problemsOf(openCallers({}, log)), [/^CALLERS_FILE : ENOENT/]);
  const path = join(t.testdir({ "callers.yaml": "callers: [" }), "callers.yaml");
  t.match(await problemsOf(openCallers({ CALLERS_FILE: path }, log)), [/: not valid YAML/]);
});

t.test("keys that end soon are told of when the file is read, and counted", async (t) => {
  const { lines, log } = collect();
  const inDays = (days: number) => new Date(Date.now() + days * 86_400_000).toISOString();
  const caller = (id: string, days: number) => ({ id, key: mintKey(id), expiresAt: inDays(days) });
  const yaml = callersYaml([caller("soon", 3), caller("later", 30), caller("gone", -1)]);
  const path = join(t.testdir({ "callers.yaml": yaml }), "callers.yaml");
  const callers = await openCallers({ CALLERS_FILE: path }, log);
  t.teardown(() => callers.close());
  t.match(lines, [
    { event: "callers_loaded", callers: 3, policy_version: callers.policy().version },
    { event: "key_expiring", caller: "soon", days_left: 3 },
    { event: "key_expired", caller: "gone" },
  ]);
  t.match(callers.keyLife(), { expiring: [{ caller: "soon" }], expired: [{ caller: "gone" }] });
});

t.test("an issuer that cannot be asked is told of and counted, until it is gone from the file", async (t) => {
  const { lines, log } = collect();
  const issuer = { name: "cluster", issuer: "https://cluster.example", audiences: ["a"], jwks_file: "/none" };
  const path = join(t.testdir({ "callers.yaml": callersYaml([], [issuer]) }), "callers.yaml");
  const callers = await openCallers({ CALLERS_FILE: path }, log);
  t.teardown(() => callers.close());
  await eventually("trouble", () => callers.issuersInTrouble() === 1);
  t.match(lines, [{}, { event: "issuer_unusable", issuer: "cluster", problem: /ENOENT/ }]);
  await writeFile(path, callersYaml([]));
  await eventually("the new file", () => callers.policy().issuers.length === 0);
  t.equal(callers.issuersInTrouble(), 0);
});

t.test("an issuer that can be asked again is told of", async (t) => {
  const { lines, log } = collect();
  const folder = t.testdir({});
  const keys = join(folder, "keys.json");
  const issuer = { name: "cluster", issuer: "https://cluster.example", audiences: ["a"], jwks_file: keys };
  const path = join(folder, "callers.yaml");
  await writeFile(path, callersYaml([], [issuer]));
  const callers = await openCallers({ CALLERS_FILE: path }, log);
  t.teardown(() => callers.close());
  await eventually("trouble", () => callers.issuersInTrouble() === 1);
  const { publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  await writeFile(
    keys,
    JSON.stringify({
      keys: [{ ...publicKey.export({ format: "jwk" }), kid: "k", alg: "RS256", use: "sig" }],
    }),
  );
  await eventually("its end", () => callers.issuersInTrouble() === 0);
  t.match(lines.at(-1), { event: "issuer_usable", issuer: "cluster" });
});

t.test("a key that expires while nothing else happens is told of", async (t) => {
  const { lines, log } = collect();
  const expiresAt = new Date(Date.now() + 1_000).toISOString();
  const yaml = callersYaml([{ id: "soon", key: mintKey("soon"), expiresAt }]);
  const path = join(t.testdir({ "callers.yaml": yaml }), "callers.yaml");
  const callers = await openCallers({ CALLERS_FILE: path }, log, 20);
  t.teardown(() => callers.close());
  await eventually("its end", () => lines.some(({ event }) => event === "key_expired"));
  t.match(callers.keyLife(), { expiring: [], expired: [{ caller: "soon" }] });
});
