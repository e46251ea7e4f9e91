import { generateKeyPairSync } from "node:crypto";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { inspect } from "node:util";
import t from "tap";
import { openKeyFile, parseSigningKey } from "../../../src/coze/token/oauth-key.ts";
import { keyPair } from "./oauth.ts";

const { privateKey, pem, registered } = keyPair();
const pkcs1 = privateKey.export({ type: "pkcs1", format: "pem" }).toString();

t.test("PKCS#8 and PKCS#1 are taken", async (t) => {
  t.match(pkcs1, "BEGIN RSA PRIVATE KEY");
  for (const text of [pem, pkcs1, `\n${pem.replaceAll("\n", "\r\n")}`]) {
    const key = parseSigningKey(Buffer.from(text));
    t.equal(key.reveal().equals(privateKey), true);
    t.equal(key.id, undefined);
  }
});

t.test("the file may name its key", async (t) => {
  const idIn = (before: string) => parseSigningKey(Buffer.from(before + pem)).id;
  t.equal(idIn("kid: _v0VjcvlIg\n"), "_v0VjcvlIg");
  t.equal(idIn("made in June\r\nkid:abc \t\r\n\r\n"), "abc");
  t.equal(idIn("the kid: abc\n"), undefined, "only on a line of its own");
  t.equal(idIn("kid: a b\n"), undefined);
  t.equal(idIn("kid:\n"), undefined);
  t.equal(parseSigningKey(Buffer.from(`${pem}kid: after\n`)).id, undefined);
});

t.test("anything else is refused in words that say what would be right", async (t) => {
  const encrypted = privateKey.export({
    type: "pkcs8",
    format: "pem",
    cipher: "aes-128-cbc",
    passphrase: "x",
  });
  const ec = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;
  const noPem = /^not an unencrypted private key in PEM form \(PKCS#8 or PKCS#1\)$/;
  const cases: [content: string | Buffer, problem: RegExp][] = [
    ["", noPem],
    ["sat_SECRET0123456789", noPem],
    [pem.slice(0, 800), noPem],
    [pem.replace("BEGIN PRIVATE", "BEGIN PUBLIC"), noPem],
    [registered.publicKey, noPem],
    [encrypted, noPem],
    [ec.export({ type: "pkcs8", format: "pem" }), /^the private key must be an RSA key$/],
    [keyPair(1024).pem, /^the private key must have at least 2048 bits, not 1024$/],
  ];
  for (const [content, problem] of cases) {
    const error = t.throws(() => parseSigningKey(Buffer.from(content)), { message: problem });
    t.notMatch(inspect(error), /SECRET|MII/);
  }
});

t.test("a key does not print", async (t) => {
  const key = parseSigningKey(Buffer.from(`kid: abc\n${pem}`));
  const forms = [
    String(key),
    JSON.stringify(key),
    inspect(key),
    inspect({ key }, { showHidden: true, depth: 9 }),
  ];
  for (const form of forms) t.match(form, /^\W*(key: )?\[redacted\]\W*$/);
});

t.test("a key file is watched, and the last good key kept", async (t) => {
  const path = join(t.testdir({ "key.pem": pem }), "key.pem");
  const errors: string[] = [];
  const file = await openKeyFile(path, { onError: ({ message }) => void errors.push(message) });
  t.teardown(() => file.close());
  t.equal(file.value?.reveal().equals(privateKey), true);
  await rm(path);
  await file.refresh();
  await writeFile(path, "x".repeat(64 * 1024 + 1));
  await file.refresh();
  t.match(errors, [/ENOENT/, /larger than 65536 bytes/]);
  t.equal(file.value?.reveal().equals(privateKey), true);
  const next = keyPair();
  await writeFile(path, next.pem);
  await file.refresh();
  t.equal(file.value?.reveal().equals(next.privateKey), true);
  const bare = await openKeyFile(join(path, "none"));
  bare.close();
  t.match(bare.trouble?.message, /ENOTDIR/);
});
