import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pino } from "pino";
import t from "tap";
import { loadConfig } from "../src/config/config.ts";
import { openAuditStore, openToken } from "../src/inputs.ts";
import { files, problemsOf } from "./commands/files.ts";
import { token } from "./helpers/gateway.ts";

/** A log that can be read. */
function collect() {
  const lines: Record<string, unknown>[] = [];
  return { lines, log: pino({}, { write: (line) => void lines.push(JSON.parse(line)) }) };
}

t.test("a token that is none is a mistake of the configuration", async (t) => {
  const { environment } = files(t);
  const { COZE_TOKEN_FILE: _, ...others } = environment;
  const config = loadConfig({ ...others, COZE_TOKEN: "a b c d e f" });
  const { log } = collect();
  t.strictSame(await problemsOf(openToken(config, log)), [
    "COZE_TOKEN: the token has blanks or characters that a header cannot carry",
  ]);
  const unnamed = { ...config, COZE_TOKEN: undefined };
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

t.test("the troubles of the token file are told, and their end", async (t) => {
  const { environment, folder } = files(t);
  const { lines, log } = collect();
  const opened = await openToken(loadConfig(environment), log);
  t.teardown(() => opened.close());
  for (const content of ["two words", token]) {
    await writeFile(join(folder, "token"), content);
    await opened.refresh();
  }
  t.match(lines, [
    { level: 30, event: "token_loaded", generation: 1 },
    { level: 50, event: "token_file_unusable", problem: /blanks/, msg: /^token file not usable/ },
    { level: 30, event: "token_file_usable" },
  ]);
});
