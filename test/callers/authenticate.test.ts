import crypto from "node:crypto";
import { syncBuiltinESMExports } from "node:module";
import t from "tap";
import { AuthenticationError, authenticate } from "../../src/callers/authenticate.ts";
import { hashKey, mintKey } from "../../src/callers/key.ts";
import type { Caller, Credential, Policy } from "../../src/callers/policy.ts";

const key = mintKey("billing");
const foreign = mintKey("other");
const lookAlike = `cgw_billing_${"A".repeat(43)}`;
const billing: Caller = { id: "billing", keys: [], grants: [] };
const expiry = 1_800_000_000_000;

/** A policy in which `billing` holds the given keys, all expiring at the same moment. */
function policyOf(...keys: readonly string[]): Policy {
  const credentials = new Map(
    keys.map((each) => {
      const hash = hashKey(each);
      return [hash, { caller: billing, hash: Buffer.from(hash, "hex"), expiresAt: expiry }];
    }),
  );
  return { callers: [billing], credentials };
}

const policy = policyOf(key, foreign, lookAlike);

/** Why the headers are refused, or the caller's id. */
function outcome(headers: readonly string[], now = expiry - 1, against = policy): string {
  try {
    return `caller ${authenticate(headers, against, now).caller.id}`;
  } catch (error) {
    if (error instanceof AuthenticationError) return error.refusal;
    throw error;
  }
}

/** The caller that the refusal of an expired key names. */
function ownerTold(expired: string): string | undefined {
  try {
    return `not refused: ${authenticate([`Bearer ${expired}`], policy, expiry).caller.id}`;
  } catch (error) {
    return (error as AuthenticationError).callerId;
  }
}

t.test("who calls", async (t) => {
  const unknown = mintKey("billing");
  const cases: Record<string, [headers: readonly string[], outcome: string]> = {
    "the key": [[`Bearer ${key}`], "caller billing"],
    "lower case": [[`bearer ${key}`], "caller billing"],
    "mixed case": [[`bEaReR ${key}`], "caller billing"],
    "spaces around": [[`Bearer    ${key}  `], "caller billing"],
    "no header": [[], "missing"],
    "two headers": [[`Bearer ${key}`, `Bearer ${key}`], "repeated"],
    "two different headers": [["", `Bearer ${key}`], "repeated"],
    "an empty header": [[""], "malformed"],
    "no key": [["Bearer"], "malformed"],
    "no key but a space": [["Bearer "], "malformed"],
    Basic: [[`Basic ${Buffer.from(`billing:${key}`).toString("base64")}`], "malformed"],
    "only the key": [[key], "malformed"],
    "a word before": [[`x Bearer ${key}`], "malformed"],
    "a word after": [[`Bearer ${key} x`], "malformed"],
    "a comma": [[`Bearer ${key}, Bearer ${key}`], "malformed"],
    "a tab": [[`Bearer\t${key}`], "malformed"],
    "a tab after": [[`Bearer ${key}\t`], "malformed"],
    "a line feed after": [[`Bearer ${key}\n`], "malformed"],
    "a leading space": [[` Bearer ${key}`], "malformed"],
    "no space": [[`Bearer${key}`], "malformed"],
    "a key that nobody has": [[`Bearer ${unknown}`], "unknown"],
    "no key of ours": [["Bearer sat_x"], "unknown"],
    "the hash in place of the key": [[`Bearer ${hashKey(key)}`], "unknown"],
    "a key that names another caller than the file does": [[`Bearer ${foreign}`], "unknown"],
    "a key in the file whose checksum is wrong": [[`Bearer ${lookAlike}`], "unknown"],
    "a header of the greatest length": [[`Bearer ${"x".repeat(8192 - 7)}`], "unknown"],
    "a header that is longer": [[`Bearer ${"x".repeat(8192 - 6)}`], "malformed"],
    "a header of 1 MB": [[`Bearer ${key}${" ".repeat(1_000_000)}x`], "malformed"],
  };
  for (const [name, [headers, expected]] of Object.entries(cases)) t.equal(outcome(headers), expected, name);
  t.equal(outcome([`Bearer ${key}`], 0, policyOf()), "unknown", "an empty policy");
});

t.test("a key ends at the very millisecond of its expiry", async (t) => {
  t.equal(outcome([`Bearer ${key}`], expiry - 1), "caller billing");
  t.equal(outcome([`Bearer ${key}`], expiry), "expired");
  t.equal(ownerTold(key), "billing");
  t.equal(ownerTold(foreign), undefined);
  t.equal(outcome([`Bearer ${key}`], expiry + 1), "expired");
  t.equal(outcome([`Bearer ${foreign}`], expiry), "unknown", "the expiry of another's key is not told");
});

t.test("every refusal of a well-formed key reads alike, and none holds the key", async (t) => {
  const messages = [mintKey("billing"), foreign, key].map((each) => {
    try {
      authenticate([`Bearer ${each}`], policy, expiry);
      return "(taken)";
    } catch (error) {
      t.notMatch(`${(error as Error).stack}${JSON.stringify(error)}`, each);
      return (error as Error).message;
    }
  });
  t.equal(new Set(messages).size, 1);
  t.match(messages[0], /^Send Authorization: Bearer <caller key>/);
  t.throws(() => authenticate(["a", "b"], policy, 0), {
    message: "Send one Authorization header, not several.",
  });
});

t.test("the work is the same whether the caller exists or not", async (t) => {
  const counts = { createHash: 0, timingSafeEqual: 0, lookUp: 0 };
  const { createHash, timingSafeEqual } = crypto;
  t.teardown(() => {
    Object.assign(crypto, { createHash, timingSafeEqual });
    syncBuiltinESMExports();
  });
  class CountingMap extends Map<string, Credential> {
    override get(hash: string) {
      counts.lookUp += 1;
      return super.get(hash);
    }
  }
  const counting = new CountingMap(policy.credentials);
  Object.assign(crypto, {
    createHash: (name: string) => {
      counts.createHash += 1;
      return createHash(name);
    },
    timingSafeEqual: (one: Buffer, other: Buffer) => {
      counts.timingSafeEqual += 1;
      return timingSafeEqual(one, other);
    },
  });
  syncBuiltinESMExports();
  const expected = {
    [key]: "caller billing",
    [mintKey("billing")]: "unknown",
    [mintKey("nobody")]: "unknown",
    [foreign]: "unknown",
  };
  for (const [each, found] of Object.entries(expected)) {
    Object.assign(counts, { createHash: 0, timingSafeEqual: 0, lookUp: 0 });
    t.equal(outcome([`Bearer ${each}`], 0, { callers: [], credentials: counting }), found);
    t.strictSame(counts, { createHash: 1, timingSafeEqual: 1, lookUp: 1 });
  }
});
