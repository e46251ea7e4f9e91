import { spawn } from "node:child_process";
import { once } from "node:events";
import t from "tap";
import { mintKey } from "../../src/callers/key.ts";
import {
  createLogger,
  redactCredentials,
  redacting,
  serializeError,
  standardOutput,
} from "../../src/telemetry/logger.ts";

/** A logger and the lines that it wrote. */
function collect(level = "debug", redact = (line: string) => line) {
  const written: string[] = [];
  const destination = redacting({ write: (line) => void written.push(line) }, redact);
  const log = createLogger({ level, destination });
  return { log, written, lines: () => written.map((line) => JSON.parse(line)) };
}

t.test("what looks like a credential is taken out wherever it stands", async (t) => {
  const key = mintKey("a-1");
  const tokens = ["pat_", "sat_", "czs_", "czu_", "cztei_"].map((prefix) => `${prefix}AbCdEf0123456789_-`);
  for (const secret of [key, ...tokens]) {
    for (const text of [
      secret,
      `x ${secret}`,
      `"${secret}"`,
      `x${secret}`,
      `x_${secret}`,
      `%20${secret}`,
      `\n${secret}\n`,
    ]) {
      const clean = redactCredentials(text);
      t.notMatch(clean, secret.slice(-12), text);
      t.match(clean, "_[redacted]");
    }
  }
  t.equal(redactCredentials(`${key} and ${key}`), "cgw_a-1_[redacted] and cgw_a-1_[redacted]");
});

t.test("what does not is left alone", async (t) => {
  for (const text of [
    "",
    "sat_down",
    "pat_ 0123456789abcdef",
    "cgw_",
    "20260311094512A1B2C3D4E5F60718293A",
    "[redacted]",
  ]) {
    t.equal(redactCredentials(text), text);
  }
});

t.test("every line passes both nets, message, fields and nested values alike", async (t) => {
  const { log, written } = collect("info", (line) => line.replaceAll("known-secret", "[redacted]"));
  const key = mintKey("tester");
  log.info({ Authorization: `Bearer ${key}`, a: { b: { c: ["known-secret", key] } } }, `known-secret ${key}`);
  log.child({ [key]: 1 }).warn({ err: new Error(`known-secret ${key}`) });
  t.equal(written.length, 2);
  t.notMatch(written.join(""), "known-secret");
  t.notMatch(written.join(""), key.slice(-30));
});

t.test("lines have a level word, a time and no host or process", async (t) => {
  const { log, lines } = collect("info");
  log.debug("hidden");
  log.warn({ event: "retry" }, "shown");
  t.equal(lines().length, 1);
  t.same(Object.keys(lines()[0]), ["level", "ts", "event", "msg"]);
  t.equal(lines()[0].level, "warn");
  t.match(lines()[0].ts, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
});

t.test("of an error: kind, code and stack, none of its other fields", async (t) => {
  const error = Object.assign(new TypeError("bad"), {
    code: "E_BAD",
    config: { headers: { authorization: "secret" } },
    body: "secret",
  });
  t.same(serializeError(error), { type: "TypeError", code: "E_BAD", stack: error.stack });
  const numbered = Object.assign(new Error("x"), { code: 42 });
  t.equal(serializeError(numbered).code, undefined);
  t.same(serializeError("secret"), { type: "string", code: undefined, stack: undefined });
  const { log, written } = collect();
  log.error({ err: error }, "failed");
  t.notMatch(written[0], "secret");
});

t.test("without a terminal standard output gets the lines as they are, at once", async (t) => {
  const out = await runStandardOutput(false);
  const [line] = out.split("\n");
  t.match(JSON.parse(line ?? ""), { level: "info", event: "x", msg: "hello" });
});

t.test("a terminal gets lines for people", async (t) => {
  const out = await runStandardOutput(true);
  t.match(out, /\d\d:\d\d:\d\d\.\d{3}.*INFO.*hello.*"event":"x"/);
  t.notMatch(out, '{"level"');
});

t.test("both are destinations in this process too", async (t) => {
  for (const isTerminal of [false, true]) {
    const destination = await standardOutput(isTerminal);
    t.type(destination.write, "function");
  }
});

/** What a process prints that logs one line to its standard output and exits at once. */
async function runStandardOutput(isTerminal: boolean): Promise<string> {
  const module = new URL("../../src/telemetry/logger.ts", import.meta.url).href;
  const script = `
    const { createLogger, standardOutput } = await import(${JSON.stringify(module)});
    const destination = await standardOutput(${isTerminal});
    createLogger({ level: "info", destination }).info({ event: "x" }, "hello");
    process.exit(0);`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", script], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let out = "";
  child.stdout.on("data", (chunk) => {
    out += chunk;
  });
  await once(child, "close");
  return out;
}
