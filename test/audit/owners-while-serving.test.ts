import { statSync } from "node:fs";
import t, { type Test } from "tap";
import { openStore } from "../../src/audit/open-store.ts";
import { StoreUrl } from "../../src/config/store-url.ts";
import { files } from "../commands/files.ts";
import { startProgram } from "../commands/process.ts";
import { eventually } from "../config/eventually.ts";
import { skip, startPostgres } from "../helpers/postgres.ts";
import { startGatewayProcess } from "./gateway-process.ts";
import { inspect } from "./inspect.ts";
import { startLastingCoze, startLoad, unended, unrecorded } from "./load.ts";

t.setTimeout(600_000);

/** Moves owners again and again with the real command while a real gateway serves. */
async function moveWhileServing(
  t: Test,
  store: string,
  environment: NodeJS.ProcessEnv,
  key: string,
  look = () => {},
) {
  const coze = await startLastingCoze(t);
  const gateway = await startGatewayProcess(t, {
    ...environment,
    AUDIT_STORE: store,
    COZE_BASE_URL: coze.url,
    AUDIT_TIMEOUT_MS: "60000",
  });
  const load = startLoad(gateway.url, key, 4);
  const printed: string[] = [];
  const run = async (...args: readonly string[]) => {
    const program = startProgram(t, ["owners", ...args], { AUDIT_STORE: store });
    const code = await program.ended();
    printed.push(...program.stdout().split("\n"));
    return `${code} ${program.stdout().trimEnd().split("\n").at(-1)}${program.stderr()}`;
  };
  const goOn = async () => {
    const enough = load.replies.length + 30;
    await eventually("replies", () => load.replies.length >= enough);
    look();
  };
  await goOn();
  const app = ["--api-app-id", "7300000000000000001"];
  t.match(await run("adopt", ...app, "--owner", "billing"), /^0 billing owns 7300000000000000001 now/);
  await goOn();
  for (const [from, to] of [
    ["billing", "crm"],
    ["crm", "shop"],
    ["shop", "billing"],
  ] as const) {
    t.match(await run("move", ...app, "--from", from, "--to", to), new RegExp(`^0 ${to} owns`));
    await goOn();
  }
  t.match(await run("move", ...app, "--from", "crm", "--to", "shop"), /^1 .*billing owns .*, not crm/s);
  // An app that a client created through the gateway has its caller as its owner.
  t.match(await run("list", "--owner", "tester"), /^0 \S+ {2}tester {2}since /);
  t.match(await run("remove", ...app, "--from", "billing"), /^0 Nobody owns/);
  await goOn();
  return { gateway, load, printed };
}

/** Checks that the trail is whole, and that the gateway noticed nothing. */
async function check(
  t: Test,
  store: string,
  { gateway, load, printed }: Awaited<ReturnType<typeof moveWhileServing>>,
) {
  await load.stop();
  t.equal(await gateway.stop(), 0);
  const found = await inspect(store, [...gateway.log(), ...printed]);
  t.strictSame(found.report.faults, []);
  t.equal(found.report.unreadableLines, 0);
  t.strictSame(unended(found), []);
  t.strictSame(unrecorded(found, load), []);
  t.strictSame(
    found.records.filter(({ kind }) => kind === "owner").map(({ owner }) => owner),
    ["billing", "crm", "shop", "billing", ""],
  );
  t.strictSame(
    found.records.filter(({ kind }) => kind === "closed" || kind === "repaired"),
    [],
    "nobody was taken for dead",
  );
  const troubles = gateway.log().filter((line) => /"event":"audit_(failure|housekeeping|lost)"/.test(line));
  t.strictSame(troubles, []);
  const failed = load.replies.filter(({ status }) => status >= 500);
  t.strictSame(failed, [], "no call suffered");
  const reader = await openStore({ url: new StoreUrl(store) }, {});
  t.teardown(() => reader.close());
  const created = found.records.filter(
    ({ kind, operation, outcome }) =>
      kind === "outcome" && operation === "create_api_app" && outcome === "done",
  );
  t.equal((await reader.owners({ owner: "tester", limit: 100_000 })).length, created.length);
  t.comment(
    `${load.replies.length} replies, ${created.length} apps created, ${found.records.length} records`,
  );
}

t.test("owners of an SQLite store move while a gateway writes it", async (t) => {
  const { key, environment, folder } = files(t);
  const store = `sqlite:${folder}/audit.db`;
  const inodes = () => ["", "-wal"].map((suffix) => statSync(`${folder}/audit.db${suffix}`).ino);
  const seen: number[][] = [];
  const running = await moveWhileServing(t, store, environment, key, () => void seen.push(inodes()));
  t.strictSame(
    seen.slice(1),
    seen.slice(1).map(() => seen[0]),
    "the gateway keeps the files that it has open",
  );
  await check(t, store, running);
  const adopt = ["owners", "adopt", "--api-app-id", "8", "--owner", "crm"];
  const alone = startProgram(t, adopt, { AUDIT_STORE: store });
  t.equal(await alone.ended(), 0, "and also when no gateway runs");
  t.match(alone.stdout(), /\ncrm owns 8 now/);
});

t.test("owners of a PostgreSQL store move while a gateway writes it", { skip }, async (t) => {
  const { key, environment } = files(t);
  const { url } = await startPostgres(t);
  await check(t, url, await moveWhileServing(t, url, environment, key));
});
