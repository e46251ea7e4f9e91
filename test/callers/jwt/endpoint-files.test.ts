import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { inspect } from "node:util";
import t from "tap";
import { EndpointFiles } from "../../../src/callers/jwt/endpoint-files.ts";
import { Health } from "../../../src/callers/jwt/health.ts";
import { eventually } from "../../config/eventually.ts";
import { makeAuthority } from "./api-server.ts";

const { caFile } = makeAuthority(t);

function open(
  t: { teardown(handler: () => unknown): void },
  ca: string | undefined,
  bearer: string | undefined,
) {
  const problems: string[] = [];
  const health = new Health("cluster", {
    onFailure: (_, problem) => void problems.push(problem),
    onRecovered: () => void problems.push("recovered"),
  });
  const files = new EndpointFiles({
    caFile: ca,
    bearerTokenFile: bearer,
    intervalMs: 10,
    health,
  });
  t.teardown(() => files.close());
  return { files, problems };
}

t.test("no files, nothing to say", async (t) => {
  const { files } = open(t, undefined, undefined);
  t.strictSame(await files.read(), { authorities: undefined, bearer: undefined });
});

t.test("both files, and what they say later", async (t) => {
  const bearerFile = join(t.testdir({ token: "one\n" }), "token");
  const { files, problems } = open(t, caFile, bearerFile);
  const { authorities, bearer } = await files.read();
  t.match(authorities, /^-----BEGIN CERTIFICATE-----/);
  t.equal(bearer?.reveal(), "one");
  t.notMatch(inspect(await files.read()), /one/);
  await writeFile(bearerFile, "two");
  await eventually("the new token", async () => (await files.read()).bearer?.reveal() === "two");
  await writeFile(bearerFile, "");
  await eventually("trouble", () => problems.length);
  t.strictSame(problems, ["bearer_token_file: must hold one token and nothing else"]);
  t.equal((await files.read()).bearer?.reveal(), "two", "the last good one stays");
  await writeFile(bearerFile, "two");
  await eventually("recovery with the old content", () => problems.splice(0).includes("recovered"));
  await writeFile(bearerFile, "");
  await eventually("trouble again", () => problems.length);
  await writeFile(bearerFile, "three");
  await eventually("recovery with a new one", () => problems.includes("recovered"));
  t.equal((await files.read()).bearer?.reveal(), "three");
});

t.test("a file that is named and cannot be read is not done without", async (t) => {
  const folder = t.testdir({
    html: "<html>",
    tokens: "one two",
    wide: "t\u00f6ken",
    key: "-----BEGIN PRIVATE KEY-----",
  });
  const cases: [ca: string | undefined, bearer: string | undefined, problem: RegExp][] = [
    ["missing", undefined, /^ca_file: ENOENT/],
    ["html", undefined, /^ca_file: holds no PEM certificate$/],
    ["key", undefined, /^ca_file: holds no PEM certificate$/],
    [undefined, "missing", /^bearer_token_file: ENOENT/],
    [undefined, "tokens", /^bearer_token_file: must hold one token and nothing else$/],
    [undefined, "wide", /^bearer_token_file: must hold one token and nothing else$/],
  ];
  for (const [ca, bearer, problem] of cases) {
    const { files, problems } = open(t, ca && join(folder, ca), bearer && join(folder, bearer));
    await t.rejects(files.read(), { message: problem });
    t.match(problems, [problem]);
  }
});

t.test("a file that comes later is taken", async (t) => {
  const bearerFile = join(t.testdir(), "token");
  const { files } = open(t, undefined, bearerFile);
  await t.rejects(files.read());
  await writeFile(bearerFile, "late");
  await eventually("the token", () => files.read().catch(() => undefined));
});

t.test("close ends the watching", async (t) => {
  const bearerFile = join(t.testdir({ token: "one" }), "token");
  const { files, problems } = open(t, undefined, bearerFile);
  const witness = open(t, undefined, bearerFile);
  await files.close();
  await rm(bearerFile);
  await eventually("what another one sees", () => witness.problems.length);
  t.strictSame(problems, []);
});
