import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import t from "tap";
import { parse } from "yaml";
import { describeApi, idle, openapi } from "../../src/commands/openapi.ts";
import { operations } from "../../src/operations/registry.ts";
import { terminal } from "./files.ts";

t.test("writes both forms of one document, into a folder that it makes", async (t) => {
  const folder = join(t.testdir(), "a", "b");
  const { printed, ...rest } = terminal();
  t.equal(await openapi(["--out", folder], rest), undefined);
  t.equal(printed(), `wrote ${folder}/openapi.json and ${folder}/openapi.yaml\n`);
  t.strictSame((await readdir(folder)).sort(), ["openapi.json", "openapi.yaml"]);
  const json = await readFile(join(folder, "openapi.json"), "utf8");
  const yaml = await readFile(join(folder, "openapi.yaml"), "utf8");
  t.strictSame(parse(yaml), JSON.parse(json));
  for (const { id } of operations) t.match(json, `"operationId": "${id}"`);
  t.strictSame(await describeApi(), { json, yaml }, "the same each time");
  t.equal(json.at(-1), "\n");
});

t.test("it writes into ./openapi unless told otherwise", async (t) => {
  const before = process.cwd();
  process.chdir(t.testdir());
  t.teardown(() => process.chdir(before));
  const { printed, ...rest } = terminal();
  await openapi([], rest);
  t.equal(printed(), "wrote openapi/openapi.json and openapi/openapi.yaml\n");
  t.equal(JSON.parse(await readFile("openapi/openapi.json", "utf8")).openapi, "3.1.0");
});

t.test("nobody could call the gateway that is described", async (t) => {
  const { callers, credentials } = idle.callers.policy();
  t.strictSame([callers.length, credentials.size], [0, 0]);
  t.equal(idle.callers.issuersInTrouble(), 0);
  t.strictSame(idle.callers.keyLife().expiring, []);
  t.equal(idle.draining(), false);
  await t.rejects(idle.connection.get(), { message: "there is no store" });
  t.equal(idle.output.write(), undefined);
});

t.test("it takes no other words", async (t) => {
  for (const args of [["here"], ["--in=x"], ["--out"]]) {
    await t.rejects(openapi(args, terminal()), { code: /^ERR_PARSE_ARGS/ });
  }
});
