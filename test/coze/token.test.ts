import { appendFile, chmod, mkdir, mkdtemp, rename, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { inspect } from "node:util";
import fc from "fast-check";
import t, { type Test } from "tap";
import { CozeToken, parseToken } from "../../src/coze/token.ts";
import { GatewayError } from "../../src/errors.ts";
import { Secret } from "../../src/secret.ts";

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
  const token = await CozeToken.open(
    { file },
    {
      onChange: (generation) => void changes.push(generation),
      onError: ({ message }) => void errors.push(message),
    },
  );
  t.teardown(() => token.close());
  return { token, file, changes, errors };
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
    t.same(token.use(), { authorization: `Bearer ${first}`, generation: 1 });
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
