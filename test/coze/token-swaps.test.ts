import { mkdir, rename, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import t, { type Test } from "tap";
import { Pool } from "undici";
import { buildSandbox } from "../../src/sandbox/coze.ts";
import { eventually } from "../config/eventually.ts";
import { startGateway, type Teardown, type TestGateway, token } from "../helpers/gateway.ts";
import { logged } from "./helper.ts";

const long = process.env["LONG_TESTS"] === "1";
const swaps = long ? 50 : 12;
const perSecond = long ? 300 : 100;

/** Tokens that a local Coze takes, and when it first saw each. */
class SeenTokens extends Map<string, "all"> {
  readonly seenAt = new Map<string, number>();

  override get(value: string): "all" | undefined {
    if (!this.seenAt.has(value)) this.seenAt.set(value, performance.now());
    return super.get(value);
  }
}

/** A secret as Kubernetes mounts it: `token` links to `..data/token`, and `..data` to the version that counts. */
async function mountSecret(folder: string) {
  let versions = 0;
  const link = async (make: (version: string) => Promise<void>) => {
    const version = `..v${++versions}`;
    await mkdir(join(folder, version));
    await make(join(folder, version));
    await symlink(version, join(folder, "..data_tmp"));
    await rename(join(folder, "..data_tmp"), join(folder, "..data"));
  };
  const path = join(folder, "token");
  await link((version) => writeFile(join(version, "token"), token));
  await symlink("..data/token", path);
  return {
    path,
    swapLink: (value: string) => link((version) => writeFile(join(version, "token"), `${value}\n`)),
    /** In place, and in two steps, so that half of it stands there for a moment. */
    rewrite: async (value: string) => {
      await writeFile(path, value.slice(0, 15));
      await writeFile(path, value);
    },
    empty: () => writeFile(path, ""),
    directory: () => link((version) => mkdir(join(version, "token"))),
    missing: () => link(async () => undefined),
  };
}

/** Sends requests at a steady rate, come what may: reads, and one creation in ten, which must not be done twice. */
function startLoad(t: Teardown, { url, key }: TestGateway, rate: number) {
  const pool = new Pool(url, { connections: 64 });
  t.teardown(() => pool.destroy());
  const failures: string[] = [];
  let sent = 0;
  let stopping = false;
  const one = async (creates: boolean) => {
    const { statusCode, body } = await pool.request({
      method: creates ? "POST" : "GET",
      path: creates ? "/v1/api_apps" : "/v1/api_apps?page_size=1",
      headers: { authorization: `Bearer ${key}`, ...(creates && { "content-type": "application/json" }) },
      body: creates ? '{"app_type":"normal","name":"one"}' : null,
    });
    const text = await body.text();
    if (statusCode !== 200) failures.push(`${statusCode} ${text}`);
  };
  const run = async () => {
    const startedAt = performance.now();
    const requests: Promise<void>[] = [];
    while (!stopping) {
      const due = ((performance.now() - startedAt) / 1000) * rate;
      for (; sent < due; sent++)
        requests.push(one(sent % 10 === 0).catch((error) => void failures.push(String(error))));
      await sleep(5);
    }
    await Promise.all(requests);
    return (performance.now() - startedAt) / 1000;
  };
  const ended = run();
  return {
    failures,
    sent: () => sent,
    stop: () => {
      stopping = true;
      return ended;
    },
  };
}

async function start(t: Test) {
  const tokens = new SeenTokens([[token, "all"]]);
  const app = buildSandbox({ tokens });
  t.teardown(() => app.close());
  const cozeUrl = await app.listen({ host: "127.0.0.1", port: 0 });
  const secret = await mountSecret(t.testdir({}));
  const gateway = await startGateway(t, cozeUrl, { COZE_TOKEN_FILE: secret.path, LOG_LEVEL: "warn" });
  return { tokens, sandbox: app.sandbox, secret, gateway };
}

t.test(
  `${swaps} swaps of the token file at ${perSecond} requests/s fail no request`,
  { timeout: 600_000 },
  async (t) => {
    const { tokens, sandbox, secret, gateway } = await start(t);
    const delays = monitorEventLoopDelay({ resolution: 10 });
    delays.enable();
    const load = startLoad(t, gateway, perSecond);
    await eventually("the first calls", () => tokens.seenAt.size === 1);
    let inForce = token;
    const slowness: number[] = [];
    /** Read where it costs little: the log of this test is long. */
    const count = async (counter: string) => {
      const { body } = await gateway.gateway.admin.inject("/metrics");
      return Number(new RegExp(`^coze_gateway_token_${counter}_total (\\d+)$`, "m").exec(body)?.[1]);
    };

    const takeOver = async (swap: (value: string) => Promise<void>, value: string) => {
      tokens.set(value, "all");
      await swap(value);
      const swappedAt = performance.now();
      const seenAt = await eventually("the new token at Coze", () => tokens.seenAt.get(value) ?? 0);
      slowness.push(seenAt - swappedAt);
      // The old one dies at once: what is under way with it is rejected and repeated.
      sandbox.oauth.revoke(inForce);
      inForce = value;
    };
    const inTrouble = async (swap: () => Promise<void>) => {
      const before = await count("reload_failures");
      await swap();
      await eventually("the trouble", async () => (await count("reload_failures")) > before);
      await sleep(200);
    };
    const refused = async (value: string) => {
      const before = await count("reverts");
      await secret.swapLink(value);
      await eventually("the way back", async () => (await count("reverts")) > before);
      await sleep(200);
      t.equal(await count("reverts"), before + 1, "once, by however many calls it was found");
    };
    const kinds = [
      (value: string) => takeOver(secret.swapLink, value),
      (value: string) => takeOver(secret.rewrite, value),
      () => inTrouble(secret.empty),
      (value: string) => refused(`bad_${value}`),
      (value: string) => takeOver(secret.swapLink, value),
      () => inTrouble(secret.directory),
      (value: string) => takeOver(secret.swapLink, value),
      (value: string) => refused(`bad_${value}`),
      (value: string) => refused(`worse_${value}`),
      (value: string) => takeOver(secret.rewrite, value),
      () => inTrouble(secret.missing),
      (value: string) => takeOver(secret.swapLink, value),
    ];
    for (let swap = 0; swap < swaps; swap++) {
      await kinds[swap % kinds.length]?.(`sat_SWAP${swap}_0123456789abcdefghijkl`);
      sandbox.state.apps.clear();
    }
    const seconds = await load.stop();
    t.strictSame(load.failures, []);
    const reached = load.sent() / seconds;
    t.ok(reached > perSecond * 0.9, `${reached} requests a second`);
    t.ok(load.sent() > swaps * 5);
    // What the machine itself stood still is not the gateway's.
    const stalled = delays.max / 1e6;
    delays.disable();
    const slowest = Math.max(...slowness);
    t.ok(
      slowest - stalled < 2_000,
      `new token in use after ${slowest} ms, of which ${stalled} may be a stall`,
    );
    t.comment(
      `${load.sent()} requests in ${seconds.toFixed(1)} s, ${load.failures.length} failed; ` +
        `${slowness.length} good swaps, in use after ${slowest.toFixed(0)} ms at most ` +
        `(longest stall ${stalled.toFixed(0)} ms)`,
    );
    t.equal(logged(gateway, "token_reverted").length, await count("reverts"));
    const text = gateway.text();
    t.strictSame(
      [...tokens.seenAt.keys()].filter((value) => text.includes(value)),
      [],
    );
  },
);
