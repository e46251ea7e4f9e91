import { createHash } from "node:crypto";
import { appendFile, chmod, mkdir, mkdtemp, rename, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { inspect } from "node:util";
import fc from "fast-check";
import t, { type Test } from "tap";
import { type Clocks, realClocks } from "../../../src/coze/token/coze-clock.ts";
import { parseToken } from "../../../src/coze/token/parse.ts";
import { CozeToken, type TokenListeners } from "../../../src/coze/token/token.ts";
import { GatewayError } from "../../../src/errors.ts";
import { Secret } from "../../../src/secret.ts";
import { eventually } from "../../config/eventually.ts";
import { startSandbox } from "../../sandbox/helper.ts";
import { appId, keyId, keyPair } from "./oauth.ts";

const first = "sat_FIRST_0123456789abcdef";
const second = "sat_SECOND_0123456789abcdef";
const third = "sat_THIRD_0123456789abcdef";

async function folder(t: Test): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), "token-test-"));
  t.teardown(() => rm(path, { recursive: true }));
  return path;
}

/** A token read from a file with this content, and what it reported. */
async function open(t: Test, content: string | Buffer | undefined) {
  const file = join(await folder(t), "token");
  if (content !== undefined) await writeFile(file, content);
  const changes: number[] = [];
  const errors: string[] = [];
  const reverts: number[][] = [];
  const token = await CozeToken.open(
    { file },
    {
      onChange: (generation) => void changes.push(generation),
      onError: ({ message }) => void errors.push(message),
      onReverted: (...generations) => void reverts.push(generations),
    },
  );
  t.teardown(() => token.close());
  return { token, file, changes, errors, reverts };
}

const fixed = (value: string) => CozeToken.open({ value: new Secret(value) });

for (const [name, content] of [
  ["bare", first],
  ["with a line end", `${first}\n`],
  ["with CRLF", `${first}\r\n`],
  ["with a byte order mark", `\uFEFF${first}\n`],
  ["with blanks around", `  \t${first} \n\n`],
] as const) {
  t.test(`a token ${name} is taken`, async (t) => {
    const { token, changes, errors } = await open(t, content);
    t.same(token.use(), { authorization: `Bearer ${first}`, generation: 1, insteadOf: undefined });
    t.same([changes, errors, token.trouble], [[1], [], undefined]);
    t.equal(parseToken(content), first);
  });
}

for (const [name, content, problem] of [
  ["empty", "", /empty/],
  ["blank", " \t ", /empty/],
  ["a newline only", "\n", /empty/],
  ["a byte order mark only", "\uFEFF\r\n", /empty/],
  ["two lines", `${first}\n${second}\n`, /more than one line/],
  ["two lines by CR", `${first}\r${second}`, /more than one line/],
  ["a blank inside", "sat_one two three", /blanks/],
  ["beyond ASCII", "sat_tök\u00e9n_12345", /cannot carry/],
  ["a control character", "sat_\u0000\u0007_12345", /cannot carry/],
  ["no UTF-8", Buffer.from([0xff, 0xfe, 0x73, 0x61, 0x74, 0x5f, 0x31, 0x32, 0x33]), /cannot carry/],
  ["too short", "sat_123", /8 to 8192/],
  ["too long", "x".repeat(8193), /8 to 8192/],
  ["1 MB", "x".repeat(1024 * 1024), /larger than/],
] as const) {
  t.test(`${name}: the last good token is kept, and the trouble told once`, async (t) => {
    const { token, file, errors } = await open(t, first);
    await writeFile(file, content);
    await token.refresh();
    await token.refresh();
    t.equal(token.use().authorization, `Bearer ${first}`);
    t.equal(token.generation, 1);
    t.match(token.trouble?.message, problem);
    t.equal(errors.length, 1);
    t.notMatch(errors.join() + inspect(token.trouble), /sat_|xxx/, "never the content");
    await writeFile(file, second);
    await token.refresh();
    t.equal(token.use().authorization, `Bearer ${second}`);
    t.equal(token.trouble, undefined);
  });
}

t.test("a file that is missing at start is taken when it appears", async (t) => {
  const { token, file, errors, changes } = await open(t, undefined);
  t.equal(token.generation, 0);
  t.throws(() => token.use(), new GatewayError("token_unavailable"));
  t.match(errors, [/ENOENT/]);
  await writeFile(file, first);
  while (token.generation === 0) await sleep(20);
  t.equal(token.use().authorization, `Bearer ${first}`);
  t.same(changes, [1], "it was looked at without being asked");
});

t.test("without listeners", async (t) => {
  const file = join(await folder(t), "token");
  const token = await CozeToken.open({ file });
  t.teardown(() => token.close());
  t.match(token.trouble?.message, /ENOENT/);
  await writeFile(file, first);
  await token.refresh();
  t.equal(token.generation, 1);
});

t.test("a folder in place of the file, and a file that may not be read", async (t) => {
  const { token, file } = await open(t, first);
  await rm(file);
  await mkdir(file);
  await token.refresh();
  t.match(token.trouble?.message, /not a regular file/);
  await rm(file, { recursive: true });
  await writeFile(file, second);
  await chmod(file, 0o000);
  await token.refresh();
  // A superuser may read what nobody may; everybody else keeps the last good token.
  const superuser = process.getuid?.() === 0;
  t.equal(token.use().authorization, `Bearer ${superuser ? second : first}`);
  t.equal(token.trouble === undefined, superuser);
});

t.test("Kubernetes swaps the ..data link", async (t) => {
  const path = await folder(t);
  for (const [version, content] of [
    ["..v1", first],
    ["..v2", second],
    ["..v3", third],
  ] as const) {
    await mkdir(join(path, version));
    await writeFile(join(path, version, "token"), content);
  }
  await symlink("..v1", join(path, "..data"));
  await symlink("..data/token", join(path, "token"));
  const token = await CozeToken.open({ file: join(path, "token") });
  t.teardown(() => token.close());
  t.equal(token.use().authorization, `Bearer ${first}`);
  for (const [generation, version, content] of [
    [2, "..v2", second],
    [3, "..v3", third],
  ] as const) {
    await symlink(version, join(path, "..data_tmp"));
    await rename(join(path, "..data_tmp"), join(path, "..data"));
    while (token.generation < generation) await sleep(20);
    t.equal(token.use().authorization, `Bearer ${content}`, "each swap, not only the first");
  }
});

t.test("a file that somebody is still writing is not taken yet", async (t) => {
  const { token, file, changes } = await open(t, first);
  await writeFile(file, second.slice(0, 12));
  let writing = true;
  const look = token.refresh().finally(() => {
    writing = false;
  });
  while (writing) await appendFile(file, "x");
  await look;
  t.equal(token.use().authorization, `Bearer ${first}`);
  await writeFile(file, second);
  while (token.use().authorization !== `Bearer ${second}`) await token.refresh();
  t.same(changes, [1, 2]);
});

t.test("the same token with other white space is no new one", async (t) => {
  const { token, file, changes } = await open(t, first);
  await writeFile(file, `${first}\n`);
  await token.refresh();
  t.equal(token.generation, 1);
  t.same(changes, [1]);
});

t.test("a fixed value", async (t) => {
  const token = await fixed(`${first}\n`);
  t.equal(token.use().authorization, `Bearer ${first}`);
  await token.refresh();
  t.equal(token.generation, 1);
  t.equal(token.trouble, undefined);
  token.close();
  await t.rejects(fixed(" "), { message: "the token is empty" });
  t.match(await fixed("two words here").catch(String), /^Error: the token has blanks/);
});

t.test("it prints as [redacted], however it is printed", async (t) => {
  const token = await fixed(first);
  const forms = [
    String(token),
    `${token}`,
    JSON.stringify(token),
    JSON.stringify({ deep: [{ token }] }),
    inspect(token),
    inspect(token, { showHidden: true, depth: Infinity }),
    inspect({ deep: [{ token }] }, { showHidden: true, depth: Infinity }),
    inspect(new Error("x", { cause: token }), { showHidden: true, depth: Infinity }),
    JSON.stringify(Object.entries(token)),
    JSON.stringify(Object.getOwnPropertyDescriptors(token)),
  ];
  for (const form of forms) t.notMatch(form, /FIRST/);
  for (const form of forms.slice(0, 8)) t.match(form, /\[redacted\]/);
});

t.test("whatever stands around it, and in whichever of these forms, it is found and taken out", async () => {
  const encoders: readonly ((text: string) => string)[] = [
    (text) => text,
    encodeURIComponent,
    (text) => JSON.stringify(text),
    (text) => Buffer.from(text).toString("base64"),
    (text) => Buffer.from(text).toString("base64url"),
  ];
  const tokenText = fc.string({
    unit: fc.integer({ min: 0x21, max: 0x7e }).map((code) => String.fromCharCode(code)),
    minLength: 12,
    maxLength: 60,
  });
  await fc.assert(
    fc.asyncProperty(
      tokenText,
      fc.string({ maxLength: 10 }),
      fc.string({ maxLength: 10 }),
      fc.constantFrom(...encoders),
      async (value, before, after, encode) => {
        const token = await fixed(value);
        const text = encode(before + value + after);
        return (
          token.isIn(Buffer.from(text)) &&
          token.redact(text).includes("[redacted]") &&
          !token.redact(text).includes(value)
        );
      },
    ),
  );
});

t.test("base64 leaves no more than a few characters of it at its edges", async (t) => {
  const token = await fixed(first);
  for (const before of ["", "a", "ab", "abc", "Bearer "]) {
    const text = Buffer.from(`${before}${first} and more`).toString("base64");
    const left = token.redact(text).split("[redacted]");
    t.equal(left.length, 2, before);
    const shown = left.map((part) => Buffer.from(part, "base64").toString("latin1")).join("");
    t.notMatch(shown, first.slice(0, 6));
    t.notMatch(shown, first.slice(-6));
  }
});

t.test("what is not the token stays as it is", async (t) => {
  const token = await fixed(first);
  t.equal(token.redact("sat_SOMETHING_else_123456"), "sat_SOMETHING_else_123456");
  t.notOk(token.isIn(Buffer.from("sat_SOMETHING_else_123456")));
  t.equal((await open(t, undefined)).token.redact("x"), "x");
});

t.test("the token before is still taken out, the one before that is forgotten", async (t) => {
  const { token, file } = await open(t, first);
  await writeFile(file, second);
  await token.refresh();
  t.equal(token.redact(`${first} ${second}`), "[redacted] [redacted]");
  t.ok(token.isIn(Buffer.from(first)));
  await writeFile(file, third);
  await token.refresh();
  t.equal(token.redact(`${first} ${second} ${third}`), `${first} [redacted] [redacted]`);
});

const fingerprintOf = (value: string) => createHash("sha256").update(value).digest("hex").slice(0, 12);

t.test("what may be told of it", async (t) => {
  const { token, file } = await open(t, undefined);
  const source = `file ${file}`;
  t.match(token.status(), { source, state: "missing", generation: 0, reverted: false, trouble: /^ENOENT/ });
  t.same([token.ageMs, token.expiresInMs, token.usable], [Number.NaN, Number.NaN, false]);
  await writeFile(file, first);
  await token.refresh();
  t.strictSame(token.status(), {
    source,
    state: "usable",
    generation: 1,
    fingerprint: fingerprintOf(first),
    age_seconds: 0,
    reverted: false,
  });
  t.ok(token.ageMs >= 0);
  t.same([token.expiresInMs, token.usable, token.failures, token.reverts], [Number.NaN, true, 1, 0]);
  t.match((await fixed(first)).status(), { source: "variable COZE_TOKEN", state: "usable" });
  await token.awaited();
});

t.test("a rejected new token: the one before is used, and that is told once", async (t) => {
  const { token, file, reverts } = await open(t, first);
  token.accepted(token.use());
  await writeFile(file, second);
  await token.refresh();
  const bad = token.use();
  t.equal(bad.generation, 2);
  await token.rejected(bad);
  t.equal(token.hasOther(bad, false), true);
  t.equal(token.hasOther(bad, true), true);
  const repeat = token.use(bad);
  t.same(repeat, { authorization: `Bearer ${first}`, generation: 1, insteadOf: 2 });
  t.equal(token.use().generation, 2, "others still try it");
  token.accepted(repeat);
  t.equal(token.use().generation, 1);
  token.accepted(repeat);
  await token.rejected(token.use());
  token.accepted(token.use(bad));
  t.same(reverts, [[2, 1]]);
  t.equal(token.reverts, 1);
  t.match(token.status(), { generation: 1, fingerprint: fingerprintOf(first), reverted: true });
  await writeFile(file, third);
  await token.refresh();
  t.match(token.status(), { generation: 3, reverted: false });
  t.ok(
    [first, second, third].every((each) => token.redact(each) === "[redacted]"),
    "all three may still show",
  );
});

t.test("a repeat without another token uses the same", async (t) => {
  const { token } = await open(t, first);
  const use = token.use();
  await token.rejected(use);
  t.equal(token.hasOther(use, false), false);
  t.same(token.use(use), use);
});

t.test("rejections make the file be read once in a while, not each time", async (t) => {
  let now = 0;
  const file = join(await folder(t), "token");
  await writeFile(file, first);
  const clocks = { wall: () => now, monotonic: () => now };
  const token = await CozeToken.open({ file }, {}, clocks);
  t.teardown(() => token.close());
  const use = token.use();
  await writeFile(file, second);
  await Promise.all(Array.from({ length: 50 }, () => token.rejected(use)));
  t.equal(token.generation, 2, "all have waited for the one look");
  token.accepted(token.use());
  await writeFile(file, third);
  await token.rejected(token.use());
  t.equal(token.generation, 2);
  now = 3_000;
  await token.rejected(token.use());
  t.equal(token.generation, 3);
  t.equal(token.hasOther(use, false), true, "one that was replaced needs no look");
  await token.rejected(use);
});

const keys = keyPair();

/** A token that is minted at a local Coze. */
async function openMinted(t: Test, { clocks = realClocks, listeners = {} }: Partial<Minted> = {}) {
  const coze = await startSandbox(t, { oauthKeys: new Map([[keyId, keys.registered]]) });
  const keyFile = join(await folder(t), "key.pem");
  await writeFile(keyFile, keys.pem);
  const oauth = { origin: coze.base, appId, keyId, keyFile, durationSeconds: 900, timeoutMs: 10_000 };
  const token = await CozeToken.open({ oauth }, listeners, clocks);
  t.teardown(() => token.close());
  return { coze, token, keyFile };
}

interface Minted {
  readonly clocks: Clocks;
  readonly listeners: TokenListeners;
}

t.test("a minted token is awaited, lives as long as Coze said, and shows nowhere", async (t) => {
  let ahead = 0;
  const clocks = { wall: () => Date.now(), monotonic: () => performance.now() + ahead };
  const expiries: (number | undefined)[] = [];
  const onChange = (_: number, expiresAt: number | undefined) => void expiries.push(expiresAt);
  const { token, coze } = await openMinted(t, { clocks, listeners: { onChange } });
  t.equal(token.usable, false);
  t.match(token.status(), { source: `OAuth app ${appId}`, state: "missing" });
  await token.awaited();
  const [value = ""] = coze.oauth.minted;
  t.match(token.use(), { authorization: `Bearer ${value}`, generation: 1 });
  t.ok(token.expiresInMs > 890_000 && token.expiresInMs < 900_000);
  t.match(token.status(), { state: "usable", fingerprint: fingerprintOf(value) });
  t.equal(token.status().expires_at, new Date(Number(expiries[0])).toISOString());
  t.equal(token.redact(`a ${value}`), "a [redacted]");
  t.notMatch(inspect(token, { showHidden: true, depth: Infinity }), value);
  ahead = 890_000;
  t.equal(token.usable, true);
  ahead = 901_000;
  t.match(token.status(), { state: "expired", generation: 1 });
  t.equal(token.usable, false);
  t.equal(token.use().generation, 1, "Coze has the last word");
});

t.test("no jump of the wall clock ends a minted token", async (t) => {
  let jump = 0;
  const clocks = { wall: () => Date.now() + jump, monotonic: () => performance.now() };
  const { token, coze } = await openMinted(t, { clocks });
  await token.awaited();
  for (jump of [3_600_000, -3_600_000]) {
    t.equal(token.usable, true);
    t.ok(token.expiresInMs > 880_000 && token.expiresInMs < 900_000);
    await token.refresh();
  }
  t.equal(coze.oauth.minted.length, 3, "and new ones are minted all the same");
});

t.test("the troubles of minting are told and counted", async (t) => {
  const told: string[] = [];
  const { token, coze, keyFile } = await openMinted(t, {
    listeners: {
      onError: ({ message }) => void told.push(message),
      onMintFailed: ({ message }, retryInMs) => void told.push(`${message} ${retryInMs >= 1_000}`),
      onRecovered: () => void told.push("recovered"),
    },
  });
  await token.awaited();
  coze.faults.add({ path: "/api/permission/oauth2/token", html: true, status: 502 });
  await token.refresh();
  await writeFile(keyFile, "");
  await eventually("the key file's trouble", () => told.length === 2);
  await writeFile(keyFile, keys.pem);
  await eventually("its recovery", () => told.length >= 3);
  t.match(told, ["HTTP 502, no JSON object true", /^not an unencrypted/, "recovered"]);
  t.equal(token.failures, 2);
  t.equal(token.usable, true, "the one in use is kept meanwhile");
});

t.test("the same value minted again is a new token: it lives longer", async (t) => {
  const body = () =>
    JSON.stringify({ access_token: "czs_SAME0123456789", expires_in: Date.now() / 1000 + 900 });
  const { token, coze } = await openMinted(t);
  await token.awaited();
  for (const generation of [2, 3]) {
    coze.faults.add({ path: "/api/permission/oauth2/token", body: body() });
    await token.refresh();
    t.equal(token.generation, generation);
  }
  const bare = await openMinted(t);
  bare.coze.faults.add({ path: "/api/permission/oauth2/token", status: 500, times: 1 });
  await bare.token.awaited();
  await bare.token.refresh();
  t.pass("without listeners");
});
