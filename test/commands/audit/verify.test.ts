import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { PassThrough, Readable } from "node:stream";
import t from "tap";
import { auditVerify } from "../../../src/commands/audit/verify.ts";
import { Attacker } from "../../audit/attacker.ts";
import { anchorsOf, healthyStore } from "../../audit/healthy.ts";
import { terminal } from "../files.ts";

const folder = t.testdir({});
const { path, rows } = await healthyStore(join(folder, "audit.db"));
const [first, second] = [join(folder, "first.log"), join(folder, "second.log")] as const;
const lines: string[] = [];
for await (const line of anchorsOf(rows)) lines.push(`2027-03-10T12:00:00Z stdout F ${line}\n`);
await writeFile(first, lines.slice(0, 50).join(""));
await writeFile(second, lines.slice(50).join(""));

/** Runs the command; gives what it prints, and the error it ends with. */
async function verifying(...args: readonly string[]) {
  const { printed, ...rest } = terminal({ AUDIT_STORE: `sqlite:${path}` });
  const error = await auditVerify(args, rest).then(
    () => undefined,
    (error: Error) => error,
  );
  return { printed: printed(), error };
}

t.test("a whole trail is told, with what it was compared with", async (t) => {
  const alone = await verifying();
  t.equal(alone.error, undefined);
  t.match(
    alone.printed,
    /^Checked 81 records in 4 streams; 2 of them ended with a stop\.\nWithout --anchors .*\nThe trail is whole\.\n$/s,
  );
  const compared = await verifying("--anchors", first, "--anchors", second);
  t.equal(compared.error, undefined);
  t.match(compared.printed, /\nCompared with 94 anchors\.\n.*an anchor names it\.\n.*whole\.\n$/s);
});

t.test("anchors from standard input", async (t) => {
  const stdin = new PassThrough();
  t.intercept(process, "stdin", { value: stdin });
  Readable.from(lines).pipe(stdin);
  const { error, printed } = await verifying("--anchors", "-");
  t.equal(error, undefined);
  t.match(printed, "Compared with 94 anchors.");
});

t.test("a trail that is not whole: the record is named, and the command fails", async (t) => {
  const attacker = new Attacker(path);
  t.teardown(() => attacker.close());
  attacker.remember();
  attacker.run(
    1,
    "UPDATE main.audit_record SET text = replace(text, 'billing', 'mallory') WHERE stream = 'd.4' AND seq = 2",
  );
  const { printed, error } = await verifying();
  t.match(printed, /\nFAULT altered, once:\n {2}d\.4:2 \(position \d+\): its text does not have the hash/);
  t.notMatch(printed, "whole");
  t.match(error, { name: "CommandFailure", message: "The audit trail is not whole: 1 kind of fault." });
  attacker.restore();
  attacker.run(1, "DELETE FROM main.audit_record WHERE stream = 'd.4' AND seq = 18");
  t.equal((await verifying()).error, undefined);
  t.match(await verifying("--anchors", second), { printed: /FAULT cut, once:\n {2}d\.4:18: / });
  attacker.restore();
});

t.test("a file that is no log of the gateway", async (t) => {
  const other = join(folder, "other.log");
  for (const content of ["", "npm start\n", '{"event":"request"}\n', '{"event":"audit","stream":"cut']) {
    await writeFile(other, content);
    const { error, printed } = await verifying("--anchors", first, "--anchors", other);
    t.match(error, {
      name: "CommandFailure",
      message: `--anchors ${other}: holds no audit line; is it a log of the gateway?`,
    });
    t.equal(printed, "");
  }
  const { error } = await verifying("--anchors", join(folder, "none"));
  t.match(error, { name: "CommandFailure", message: /^--anchors .*none: ENOENT/ });
});

t.test("wrong words", async (t) => {
  t.match((await verifying("--anchor", first)).error, { code: "ERR_PARSE_ARGS_UNKNOWN_OPTION" });
  t.match((await verifying("d.4")).error, { code: "ERR_PARSE_ARGS_UNEXPECTED_POSITIONAL" });
});
