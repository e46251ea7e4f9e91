import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import t from "tap";
import { openSqliteStore } from "../../../src/audit/sqlite/store.ts";
import { auditExport } from "../../../src/commands/audit/export.ts";
import { Attacker } from "../../audit/attacker.ts";
import { changes } from "../../audit/healthy.ts";
import { Trail } from "../../audit/rows.ts";
import { problemsOf, terminal } from "../files.ts";

const folder = t.testdir({});
const path = join(folder, "audit.db");
const rows = changes(new Trail("a.1"), 400);
const store = await openSqliteStore(path, { stream: "a.1" });
await store.append(rows, undefined);
await store.close();
const environment = { AUDIT_STORE: `sqlite:${path}` };

/** What `export` prints with these flags. */
async function print(...args: readonly string[]): Promise<string> {
  const { printed, ...rest } = terminal(environment);
  await auditExport(args, rest);
  return printed();
}

t.test("everything, oldest first, a line each, that can be verified by itself", async (t) => {
  const lines = (await print()).split("\n");
  t.equal(lines.pop(), "");
  t.equal(lines.length, 800);
  for (const [index, line] of lines.entries()) {
    const { id, hash } = JSON.parse(line);
    const text = line.slice(line.indexOf('"record":') + 9, -1);
    if (id !== `a.1:${index + 1}` || createHash("sha256").update(text).digest("hex") !== hash) t.fail(line);
  }
});

t.test("only what matches", async (t) => {
  t.match((await print("--logid", "log7")).trimEnd(), /^\{"id":"a\.1:8",[^\n]*$/);
  t.equal(await print("--caller", "nobody"), "");
});

t.test("into a file", async (t) => {
  const file = join(folder, "export.ndjson");
  t.equal(await print("--kind", "attempt", "--out", file), `Everything that matches is in ${file}\n`);
  t.equal(await readFile(file, "utf8"), await print("--kind=attempt"));
});

t.test("a reader who is slow is waited for", async (t) => {
  const { promise: read, resolve } = Promise.withResolvers<void>();
  let chunks = 0;
  const out = (): Promise<void> => {
    chunks += 1;
    return read;
  };
  const exporting = auditExport([], { environment, isTTY: false, out });
  while (chunks === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  await new Promise((resolve) => setTimeout(resolve, 100));
  t.equal(chunks, 1, "the next chunk waits");
  resolve();
  await exporting;
  t.ok(chunks > 3);
});

t.test("a file that cannot be written", async (t) => {
  const file = join(folder, "none", "export.ndjson");
  await t.rejects(print("--out", file), { name: "CommandFailure", message: /^--out .*ENOENT/ });
});

t.test("trouble of the store while the file is written is the store's", async (t) => {
  const broken = join(folder, "broken.db");
  const other = await openSqliteStore(broken, { stream: "a.1" });
  await other.append(rows, undefined);
  await other.close();
  const attacker = new Attacker(broken);
  attacker.run(undefined, "DROP TABLE main.audit_logid");
  attacker.close();
  const terminalOf = terminal({ AUDIT_STORE: `sqlite:${broken}` });
  const problems = await problemsOf(auditExport(["--out", join(folder, "x")], terminalOf));
  t.match(problems, [/^AUDIT_STORE sqlite:.*no such table/]);
});

t.test("wrong flags, before the store is opened", async (t) => {
  const nowhere = terminal({ AUDIT_STORE: "sqlite:/nowhere/audit.db" });
  await t.rejects(auditExport(["--kind", "x"], nowhere), { name: "UsageError" });
  await t.rejects(auditExport(["--limit", "5"], nowhere), { code: "ERR_PARSE_ARGS_UNKNOWN_OPTION" });
});
