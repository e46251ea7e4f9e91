import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import fc from "fast-check";
import t from "tap";
import {
  callerIdPattern,
  callerOfKey,
  hashKey,
  keyCredentialId,
  keyPattern,
  mintKey,
  subjectCredentialId,
} from "../../src/callers/key.ts";

/** As the README gives it to secret scanners. */
const published = /`(cgw_\S+)`; only its SHA-256/.exec(
  readFileSync(new URL("../../README.md", import.meta.url), "utf8"),
)?.[1];
const callerKeyPattern = new RegExp(published ?? "nothing published");

const callerId = fc.stringMatching(callerIdPattern);

t.test("a key has the form that is given to secret scanners, and names its caller", async (t) => {
  const key = mintKey("billing");
  t.match(key, /^cgw_billing_[A-Za-z0-9_-]{43}$/);
  t.match(`"Authorization: Bearer ${key}"`, callerKeyPattern);
  t.equal(callerOfKey(key), "billing");
  fc.assert(
    fc.property(callerId, (id) => {
      const minted = mintKey(id);
      return callerOfKey(minted) === id && callerKeyPattern.exec(minted)?.[0] === minted;
    }),
  );
});

t.test("the pattern is the one that is published, and finds a key in any text", async (t) => {
  t.equal(keyPattern.source, published);
  const key = mintKey("billing");
  t.equal(keyPattern.exec(`curl -H 'Authorization: Bearer ${key}' ...`)?.[0], key);
  t.notMatch("cgw_billing_short", keyPattern);
});

t.test("what stands for a credential is 16 hex digits", async (t) => {
  t.equal(keyCredentialId(hashKey("abc")), "ba7816bf8f01cfea");
  t.equal(subjectCredentialId("k8s", "a:b"), keyCredentialId(hashKey("k8s\na:b")));
  t.not(subjectCredentialId("k8s", "a:b"), subjectCredentialId("k8s:a", "b"));
});

t.test("no two keys are the same", async (t) => {
  const keys = Array.from({ length: 1000 }, () => mintKey("a"));
  t.equal(new Set(keys).size, 1000);
});

t.test("the hash is the SHA-256 of the whole key in lower-case hex", async (t) => {
  t.equal(hashKey("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  const key = mintKey("a");
  t.equal(hashKey(key), createHash("sha256").update(key, "utf8").digest("hex"));
});

t.test("a key with any one character changed is no key", async (t) => {
  const characters = [..."abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_- .=+/é\n"];
  fc.assert(
    fc.property(callerId, fc.nat(), fc.constantFrom(...characters), (id, position, other) => {
      const key = mintKey(id);
      const at = position % key.length;
      fc.pre(key[at] !== other);
      return callerOfKey(key.slice(0, at) + other + key.slice(at + 1)) === undefined;
    }),
    { numRuns: 1000 },
  );
  const key = mintKey("billing");
  const taken = [...key].flatMap((_, at) =>
    characters.filter((other) => callerOfKey(key.slice(0, at) + other + key.slice(at + 1)) !== undefined),
  );
  t.strictSame(taken, [...key], "at each place the character that stands there, and no other");
});

t.test("what only looks like a key is none", async (t) => {
  const key = mintKey("billing");
  const secret = key.slice(-43);
  for (const text of [
    "",
    "cgw__",
    `cgw__${secret}`,
    `cgw_other_${secret}`,
    `CGW_billing_${secret}`,
    `cgw_BILLING_${secret}`,
    `cgw_billing_${secret}\n`,
    ` ${key}`,
    `${key}A`,
    key.slice(0, -1),
    `cgw_${"b".repeat(64)}_${secret}`,
    `cgw_billing_${"-".repeat(43)}`,
    `cgw_billing_${"A".repeat(43)}`,
  ]) {
    t.equal(callerOfKey(text), undefined, JSON.stringify(text));
  }
  fc.assert(fc.property(fc.string(), (text) => callerOfKey(text) === undefined));
});

t.test("a caller id is lower-case letters, digits and inner hyphens", async (t) => {
  for (const id of ["a", "7", "billing", "team-a-2", "a--b", "a".repeat(63)]) t.match(id, callerIdPattern);
  for (const id of ["", "A", "-a", "a-", "a_b", "a.b", "a b", "é", "a\n", "a".repeat(64)]) {
    t.notMatch(id, callerIdPattern, JSON.stringify(id));
  }
});
