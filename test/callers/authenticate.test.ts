import crypto from "node:crypto";
import { syncBuiltinESMExports } from "node:module";
import t from "tap";
import { AuthenticationError, authenticate as authenticateNow } from "../../src/callers/authenticate.ts";
import { JwtRefused, JwtUnavailable } from "../../src/callers/jwt/refused.ts";
import { hashKey, mintKey } from "../../src/callers/key.ts";
import { emptyPolicy, type KeyCredential, type Policy } from "../../src/callers/policy.ts";
import { callerWith } from "./callers.ts";

/** What is thrown at once is a rejection here as well. */
const authenticate = async (...args: Parameters<typeof authenticateNow>) => authenticateNow(...args);

const key = mintKey("billing");
const foreign = mintKey("other");
const lookAlike = `cgw_billing_${"A".repeat(43)}`;
const billing = { ...callerWith(), id: "billing" };
const expiry = 1_800_000_000_000;

/** A policy in which `billing` holds the given keys, all expiring at the same moment. */
function policyOf(...keys: readonly string[]): Policy {
  const credentials = new Map(
    keys.map((each) => {
      const hash = hashKey(each);
      const credential: KeyCredential = {
        caller: billing,
        kind: "key",
        id: hash.slice(0, 16),
        hash: Buffer.from(hash, "hex"),
        expiresAt: expiry,
      };
      return [hash, credential];
    }),
  );
  return { ...emptyPolicy, callers: [billing], credentials };
}

/** No issuer is configured: whoever sends a JWT is unknown. */
const noIssuers = { verify: () => Promise.reject(new JwtRefused("unknown_issuer")) };

const policy = policyOf(key, foreign, lookAlike);

/** Why the headers are refused, or the caller's id. */
async function outcome(headers: readonly string[], now = expiry - 1, against = policy): Promise<string> {
  try {
    return `caller ${(await authenticate(headers, against, noIssuers, now)).caller.id}`;
  } catch (error) {
    if (error instanceof AuthenticationError) return error.refusal;
    throw error;
  }
}

/** The caller that the refusal of an expired key names. */
async function ownerTold(expired: string): Promise<string | undefined> {
  try {
    return `not refused: ${(await authenticate([`Bearer ${expired}`], policy, noIssuers, expiry)).caller.id}`;
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
  for (const [name, [headers, expected]] of Object.entries(cases))
    t.equal(await outcome(headers), expected, name);
  t.equal(await outcome([`Bearer ${key}`], 0, policyOf()), "unknown", "an empty policy");
});

t.test("a key ends at the very millisecond of its expiry", async (t) => {
  t.equal(await outcome([`Bearer ${key}`], expiry - 1), "caller billing");
  t.equal(await outcome([`Bearer ${key}`], expiry), "expired");
  t.equal(await ownerTold(key), "billing");
  t.equal(await ownerTold(foreign), undefined);
  t.equal(await outcome([`Bearer ${key}`], expiry + 1), "expired");
  t.equal(await outcome([`Bearer ${foreign}`], expiry), "unknown", "the expiry of another's key is not told");
});

t.test("every refusal of a well-formed key reads alike, and none holds the key", async (t) => {
  const messages = await Promise.all(
    [mintKey("billing"), foreign, key].map(async (each) => {
      try {
        await authenticate([`Bearer ${each}`], policy, noIssuers, expiry);
        return "(taken)";
      } catch (error) {
        t.notMatch(`${(error as Error).stack}${JSON.stringify(error)}`, each);
        return (error as Error).message;
      }
    }),
  );
  t.equal(new Set(messages).size, 1);
  t.match(messages[0], /^Send Authorization: Bearer <caller key or token>/);
  await t.rejects(authenticate(["a", "b"], policy, noIssuers, 0), {
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
  class CountingMap extends Map<string, KeyCredential> {
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
    t.equal(await outcome([`Bearer ${each}`], 0, { ...policy, credentials: counting }), found);
    t.strictSame(counts, { createHash: 1, timingSafeEqual: 1, lookUp: 1 });
  }
});

const jwt = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl";

t.test("a JWT: its issuer and subject say whose it is", async (t) => {
  const verified = { issuer: "cluster", subject: "system:serviceaccount:billing:worker", expiresAt: 5 };
  const callerOf = (issuer: string, subject: string) =>
    issuer === verified.issuer && subject === verified.subject ? billing : undefined;
  const asked: string[] = [];
  const identify = (identity: typeof verified) =>
    authenticate(
      [`Bearer ${jwt}`],
      { ...policy, callerOf },
      {
        verify: async (token) => {
          asked.push(token);
          return identity;
        },
      },
      0,
    );
  const credential = await identify(verified);
  t.same(asked, [jwt]);
  t.match(credential, { caller: billing, kind: "jwt", subject: verified.subject, expiresAt: 5 });
  t.match(credential.id, /^[0-9a-f]{16}$/);
  t.equal((await identify(verified)).id, credential.id);
  await t.rejects(identify({ ...verified, subject: "system:serviceaccount:billing:other" }), {
    name: "GatewayError",
    refusal: "jwt_no_caller",
  });
});

t.test(
  "a JWT that proves nothing is 401 and says why to the log; one that cannot be checked is 503",
  async (t) => {
    const identify = (error: Error) =>
      authenticate([`Bearer ${jwt}`], policy, { verify: () => Promise.reject(error) }, 0);
    await t.rejects(identify(new JwtRefused("wrong_audience")), {
      error: "unauthenticated",
      refusal: "jwt_wrong_audience",
      message: /^Send Authorization: Bearer/,
    });
    await t.rejects(identify(new JwtUnavailable("cluster", "down")), {
      name: "JwtUnavailable",
      error: "authentication_unavailable",
    });
    await t.rejects(identify(new TypeError("a bug")), { name: "TypeError" });
  },
);

t.test(
  "a key is known or refused at once: the next request on the connection is looked at after that",
  async (t) => {
    t.notOk(authenticateNow([`Bearer ${key}`], policy, noIssuers, 0) instanceof Promise);
    t.throws(() => authenticateNow([`Bearer ${mintKey("billing")}`], policy, noIssuers, 0), {
      message: /^Send/,
    });
  },
);
