import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import t, { type Test } from "tap";
import { realClocks } from "../../../src/coze/token/coze-clock.ts";
import { openOAuthFeed } from "../../../src/coze/token/oauth-feed.ts";
import type { FreshToken } from "../../../src/coze/token/source.ts";
import { eventually } from "../../config/eventually.ts";
import { startSandbox } from "../../sandbox/helper.ts";
import { appId, keyId, keyPair } from "./oauth.ts";

const keys = keyPair();
const mintPath = "/api/permission/oauth2/token";

interface Options {
  /** Of the key file; empty: there is none. */
  readonly pem?: string;
  readonly lifeSeconds?: number;
  readonly before?: (coze: Awaited<ReturnType<typeof startSandbox>>) => void;
}

/** A local Coze, a feed of its tokens, and all that the feed has said. */
async function start(t: Test, { pem = keys.pem, lifeSeconds, before }: Options = {}) {
  const coze = await startSandbox(t, { oauthKeys: new Map([[keyId, keys.registered]]) });
  coze.oauth.lifeSeconds = lifeSeconds;
  before?.(coze);
  const folder = t.testdir(pem === "" ? {} : { "key.pem": pem });
  const keyFile = join(folder, "key.pem");
  const tokens: FreshToken[] = [];
  const failures: { message: string; waitMs: number }[] = [];
  const told: string[] = [];
  const feed = await openOAuthFeed(
    { origin: coze.base, appId, keyId, keyFile, durationSeconds: 900, timeoutMs: 10_000 },
    {
      onToken: (token) => void tokens.push(token),
      onRecovered: () => void told.push("recovered"),
      onError: ({ message }) => void told.push(message),
      onMintFailed: ({ message }, waitMs) => void failures.push({ message, waitMs }),
    },
    realClocks,
  );
  t.teardown(() => feed.close());
  /** How often Coze was asked for a token. */
  const asked = () => coze.calls.filter(({ url }) => url === mintPath).length;
  return { coze, feed, keyFile, tokens, failures, told, asked };
}

t.test("the first mint begins at once, and is not waited for", async (t) => {
  const { feed, tokens, asked, coze } = await start(t, {
    before: ({ faults }) => faults.add({ path: mintPath, delay_ms: 200 }),
  });
  t.equal(tokens.length, 0);
  const all = await Promise.all(Array.from({ length: 50 }, () => feed.pending()?.then(() => tokens.length)));
  t.strictSame(new Set(all), new Set([1]), "whoever needs it waits for the same mint");
  t.equal(asked(), 1);
  t.equal(tokens[0]?.value, coze.oauth.minted[0]);
  t.equal(feed.trouble, undefined);
});

t.test("refresh mints anew, once for all who ask at the time", async (t) => {
  const { feed, tokens, asked } = await start(t);
  await feed.pending();
  t.equal(asked(), 1);
  await Promise.all(Array.from({ length: 50 }, () => feed.refresh()));
  t.equal(asked(), 2);
  t.equal(tokens.length, 2);
});

t.test("it is renewed in time, again and again", async (t) => {
  const { tokens } = await start(t, { lifeSeconds: 3 });
  const gaps: number[] = [];
  for (let count = 1; count <= 3; count++) {
    const startedAt = performance.now();
    await eventually(`token ${count}`, () => tokens.length >= count);
    gaps.push(performance.now() - startedAt);
  }
  // 80 % of a life of 1 to 2 s, as a Date header is up to a second old.
  for (const gap of gaps.slice(1)) t.ok(gap > 700, `not before its time: ${gap}`);
});

t.test("a failed mint is tried again by itself; calls do not hasten it", async (t) => {
  const { feed, tokens, failures, asked } = await start(t, {
    before: ({ faults }) => faults.add({ path: mintPath, html: true }, { path: mintPath, code: 5000 }),
  });
  await feed.pending();
  t.match(failures, [{ message: "HTTP 504, no JSON object" }]);
  t.match(feed.trouble?.message, "HTTP 504, no JSON object");
  t.equal(feed.pending(), undefined, "nobody waits for the next one");
  await feed.refresh();
  t.equal(asked(), 1);
  await eventually("a token", () => tokens.length === 1);
  t.match(failures, [{}, { message: /^HTTP 200, code 5000: / }]);
  for (const [index, most] of [2_000, 4_000].entries()) {
    const wait = Number(failures[index]?.waitMs);
    t.ok(wait >= 1_000 && wait <= most, String(wait));
  }
  t.equal(asked(), 3);
  t.equal(feed.trouble, undefined);
});

t.test("what somebody has to mend waits long, but a changed key is tried at once", async (t) => {
  const { feed, keyFile, tokens, failures, told, asked } = await start(t, { pem: keyPair().pem });
  await feed.pending();
  t.match(failures, [{ message: /^HTTP 401, invalid_client: invalid jwt: signature/ }]);
  t.ok(Number(failures[0]?.waitMs) >= 30_000);
  await writeFile(keyFile, "no key");
  await eventually("the trouble", () => told.length === 1);
  t.match(told, [/^not an unencrypted private key/]);
  t.match(feed.trouble?.message, /^not an unencrypted/);
  t.equal(asked(), 1, "that is no key to try");
  await writeFile(keyFile, keys.pem);
  await eventually("a token", () => tokens.length === 1);
  t.equal(asked(), 2);
  t.equal(feed.trouble, undefined);
});

t.test("a key that changes while a mint with the old one is failing is tried at once", async (t) => {
  const { keyFile, tokens, failures } = await start(t, {
    pem: keyPair().pem,
    before: ({ faults }) => faults.add({ path: mintPath, delay_ms: 1_500 }),
  });
  await writeFile(keyFile, keys.pem);
  await eventually("a token", () => tokens.length === 1);
  t.strictSame(
    failures.map(({ waitMs }) => waitMs),
    [0],
  );
});

t.test("a key that changes while all is well is used from the next mint on", async (t) => {
  const { coze, feed, keyFile, tokens, asked } = await start(t);
  await feed.pending();
  const next = keyPair();
  coze.oauth.keys.set("next", next.registered);
  await writeFile(keyFile, `kid: next\n${next.pem}`);
  await sleep(1_200);
  t.equal(asked(), 1);
  coze.oauth.keys.delete(keyId);
  await feed.refresh();
  t.equal(tokens.length, 2);
});

t.test("a key file that is missing at the start is waited for, and so are its recoveries told", async (t) => {
  const { feed, keyFile, tokens, told, asked } = await start(t, { pem: "" });
  t.match(told, [/^ENOENT/]);
  t.match(feed.trouble?.message, /^ENOENT/);
  t.equal(feed.pending(), undefined);
  await feed.refresh();
  t.equal(asked(), 0);
  await writeFile(keyFile, keys.pem);
  await eventually("a token", () => tokens.length === 1);
  await rm(keyFile);
  await eventually("the loss", () => told.length === 2);
  await writeFile(keyFile, keys.pem);
  await eventually("the recovery", () => told.length === 3);
  t.equal(told[2], "recovered");
  t.equal(asked(), 1);
});

t.test("close ends a mint under way, and nothing is told or tried after it", async (t) => {
  const hung = await start(t, { before: ({ faults }) => faults.add({ path: mintPath, delay_ms: 60_000 }) });
  const mint = hung.feed.pending();
  await eventually("the request", () => hung.asked() === 1);
  await hung.feed.close();
  await mint;
  t.strictSame([hung.tokens, hung.failures], [[], []]);
  t.equal(hung.feed.pending(), undefined);
});
