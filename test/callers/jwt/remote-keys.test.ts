import { setTimeout as sleep } from "node:timers/promises";
import t, { type Test } from "tap";
import { Health } from "../../../src/callers/jwt/health.ts";
import { type KeySet, parseKeySet } from "../../../src/callers/jwt/key-set.ts";
import { defaultTunables, type Tunables } from "../../../src/callers/jwt/prover.ts";
import { RemoteKeys } from "../../../src/callers/jwt/remote-keys.ts";
import { eventually } from "../../config/eventually.ts";
import { newKey, type SigningKey } from "./tokens.ts";

const [one, two] = await Promise.all([newKey("one"), newKey("two")]);
const wanted = ({ alg, kid }: SigningKey) => ({ algorithm: alg, keyId: kid });
const stranger = (at: number) => ({ algorithm: "ES256", keyId: `random ${at}` });
const never = 3_600_000;

/** Keys whose fetches a test counts and decides; HTTP itself is tested with the issuers. */
function open(t: Test, tunables: Partial<Tunables>, load: (fetch: number) => Promise<SigningKey[]>) {
  const state = { fetches: 0, closed: 0 };
  const health = new Health("cluster", {});
  const keys = new RemoteKeys({
    issuer: "cluster",
    load: async (): Promise<KeySet> => {
      state.fetches += 1;
      const loaded = await load(state.fetches);
      return parseKeySet(Buffer.from(JSON.stringify({ keys: loaded.map(({ jwk }) => jwk) })));
    },
    close: async () => {
      state.closed += 1;
    },
    health,
    tunables: {
      ...defaultTunables,
      refreshMs: never,
      coolDownMs: never,
      backOffMs: never,
      maxBackOffMs: never,
      ...tunables,
    },
  });
  t.teardown(() => keys.close());
  return { keys, state, health };
}

const unavailable = { name: "JwtUnavailable", issuer: "cluster" };
const unknown = { name: "JwtRefused", reason: "unknown_key" };

t.test("100 that come before the first keys wait for one fetch", async (t) => {
  const { promise, resolve } = Promise.withResolvers<SigningKey[]>();
  const { keys, state } = open(t, {}, () => promise);
  const finds = Array.from({ length: 100 }, () => keys.find(wanted(one)));
  resolve([one]);
  for (const found of await Promise.all(finds)) t.equal(found.type, "public");
  t.equal(state.fetches, 1);
});

t.test("with no keys and the endpoint down nobody is refused, and nobody asks in between", async (t) => {
  const { keys, state } = open(t, {}, async () => {
    throw new Error("HTTP 500");
  });
  for (let at = 0; at < 100; at++)
    await t.rejects(keys.find(wanted(one)), { ...unavailable, problem: "HTTP 500" });
  t.equal(state.fetches, 1);
});

t.test("it comes back alone after the back-off", async (t) => {
  const { keys, state, health } = open(t, { backOffMs: 20 }, async (fetch) => {
    if (fetch < 4) throw new Error("HTTP 500");
    return [one];
  });
  await t.rejects(keys.find(wanted(one)), unavailable);
  await eventually("the keys", () => state.fetches === 4 && health.problemOf("endpoint") === undefined);
  t.ok(await keys.find(wanted(one)));
});

t.test("a new key is taken after one fetch, by however many tokens", async (t) => {
  const served = [one];
  const { keys, state } = open(t, { coolDownMs: 0 }, async () => served);
  t.ok(await keys.find(wanted(one)));
  served.push(two);
  await Promise.all(Array.from({ length: 50 }, () => keys.find(wanted(two))));
  t.equal(state.fetches, 2);
});

t.test("1,000 made-up key ids cause one fetch in a cool-down", async (t) => {
  const { keys, state } = open(t, { coolDownMs: 300 }, async () => [one]);
  t.ok(await keys.find(wanted(one)));
  const all = (count: number) =>
    Promise.all(Array.from({ length: count }, (_, at) => t.rejects(keys.find(stranger(at)), unknown)));
  const started = performance.now();
  await all(1000);
  const windows = Math.floor((performance.now() - started) / 300) + 1;
  t.ok(state.fetches <= 1 + windows, `${state.fetches} fetches in ${windows} cool-downs`);
  const before = state.fetches;
  await sleep(310);
  await all(1);
  t.equal(state.fetches, before + 1, "one after the cool-down");
  await all(10);
  t.ok(state.fetches <= before + 2);
});

t.test("also when they come one after the other", async (t) => {
  const { keys, state } = open(t, {}, async () => [one]);
  for (let at = 0; at < 100; at++) await t.rejects(keys.find(stranger(at)), unknown);
  t.equal(state.fetches, 1);
});

t.test("a cool-down also follows a failed fetch; an unknown key is then not refused", async (t) => {
  const { keys, state } = open(t, { coolDownMs: 50 }, async (fetch) => {
    if (fetch > 1) throw new Error("timeout");
    return [one];
  });
  t.ok(await keys.find(wanted(one)));
  await sleep(60);
  for (let at = 0; at < 200; at++)
    await t.rejects(keys.find(stranger(at)), { ...unavailable, problem: "timeout" });
  await sleep(60);
  await t.rejects(keys.find(stranger(0)), unavailable);
  t.equal(state.fetches, 2, "the back-off is longer than the cool-down");
  t.ok(await keys.find(wanted(one)), "the last good keys serve");
});

t.test("a removed key is refused after the next refresh, in the background", async (t) => {
  const served = [one, two];
  const { keys, state } = open(t, { refreshMs: 30 }, async () => served);
  t.ok(await keys.find(wanted(two)));
  served.pop();
  const before = state.fetches;
  await eventually("two more fetches", () => state.fetches >= before + 2);
  await t.rejects(keys.find(wanted(two)), unknown);
  t.ok(await keys.find(wanted(one)));
});

t.test("content that is wrong keeps the last good keys", async (t) => {
  const { keys, state, health } = open(
    t,
    { refreshMs: 10, backOffMs: 10, maxBackOffMs: 10 },
    async (fetch) => (fetch === 1 ? [one] : []),
  );
  await eventually("three fetches", () => state.fetches >= 3);
  t.match(health.problemOf("endpoint"), /no usable public key/);
  t.ok(await keys.find(wanted(one)));
});

t.test("keys serve for a bounded time while the endpoint is down, and again when it is back", async (t) => {
  let isDown = false;
  const { keys, state, health } = open(
    t,
    { refreshMs: 20, backOffMs: 20, maxBackOffMs: 20, keepKeysMs: 3_000 },
    async () => {
      if (isDown) throw new Error("Error ECONNREFUSED");
      return [one];
    },
  );
  t.ok(await keys.find(wanted(one)));
  isDown = true;
  await eventually("trouble", () => health.problemOf("endpoint"));
  t.ok(await keys.find(wanted(one)), "not yet");
  const gone = await eventually("the end", () =>
    keys.find(wanted(one)).then(
      () => undefined,
      (error) => error,
    ),
  );
  t.match(gone, { ...unavailable, problem: "Error ECONNREFUSED" });
  t.ok(state.fetches > 3);
  isDown = false;
  await eventually("recovery", () => keys.find(wanted(one)).catch(() => undefined));
});

t.test("the bound counts from the last good fetch", async (t) => {
  const { keys } = open(t, { keepKeysMs: 500 }, async () => [one]);
  t.ok(await keys.find(wanted(one)));
  await sleep(510);
  await t.rejects(keys.find(wanted(one)), { ...unavailable, problem: undefined });
});

t.test("after close nothing is fetched, whatever was under way", async (t) => {
  for (const ends of ["well", "badly"]) {
    const { promise, resolve, reject } = Promise.withResolvers<SigningKey[]>();
    const { keys, state, health } = open(t, { refreshMs: 1, backOffMs: 1 }, () => promise);
    const finding = keys.find(wanted(one)).catch((error) => error);
    await keys.close();
    if (ends === "well") resolve([one]);
    else reject(new Error("closed"));
    const found = await finding;
    if (ends === "well") t.equal(found.type, "public");
    else t.match(found, unavailable);
    t.equal(health.problemOf("endpoint"), undefined, "and nobody is alarmed");
    await sleep(50);
    t.strictSame(state, { fetches: 1, closed: 1 });
  }
});

t.test("a timer that is set is ended by close", async (t) => {
  const { keys, state } = open(t, { refreshMs: 20 }, async () => [one]);
  await keys.find(wanted(one));
  await keys.close();
  const { fetches } = state;
  await sleep(60);
  t.equal(state.fetches, fetches);
});
