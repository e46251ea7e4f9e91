import { pino } from "pino";
import t from "tap";
import { StoreConnection } from "../src/audit/connection.ts";
import { StoreError } from "../src/audit/store.ts";
import { Issuers } from "../src/callers/jwt/issuers.ts";
import { emptyPolicy } from "../src/callers/policy.ts";
import { parseRate } from "../src/config/rate.ts";
import { variables } from "../src/config/variables.ts";
import { makeGate } from "../src/gate.ts";
import { eventually } from "./config/eventually.ts";
import { skip, TestRedis } from "./helpers/redis.ts";

/** A gate, and what it logs. */
function gateWith(t: Pick<typeof import("tap").t, "teardown">, environment: NodeJS.ProcessEnv = {}) {
  const lines: Record<string, unknown>[] = [];
  const { gate, limiter } = makeGate(Object.freeze(variables.parse(environment)), {
    policy: () => emptyPolicy,
    issuers: new Issuers(),
    connection: new StoreConnection(() => Promise.reject(new StoreError("no store"))),
    log: pino({ base: null }, { write: (line: string) => void lines.push(JSON.parse(line)) }),
    onLimited: () => undefined,
  });
  t.teardown(() => limiter.close());
  return { gate, limiter, lines };
}

t.test("limits are those of the configuration", async (t) => {
  const { gate, limiter } = gateWith(t, { RATE_LIMIT_READ: "7/m", RATE_LIMIT_UNAUTHENTICATED: "1/h" });
  t.same(gate.rates, { read: parseRate("7/m"), write: parseRate("20/s"), destructive: parseRate("5/s") });
  t.equal(gate.addresses.refusedForSeconds("10.0.0.1"), undefined);
  gate.addresses.failed("10.0.0.1");
  t.equal(gate.addresses.refusedForSeconds("10.0.0.1"), 3600);
  t.equal(limiter.storeUsable, true);
});

t.test("owners that cannot be read are logged, and are an error for the caller", async (t) => {
  const { gate, lines } = gateWith(t);
  await t.rejects(gate.ownersOf(["7"]), { name: "GatewayError", error: "audit_unavailable" });
  t.match(lines, [{ event: "owners_unreadable" }]);
});

t.test("a shared store that is away is logged, and each replica keeps to its part", async (t) => {
  const environment = { RATE_LIMIT_STORE: "redis://127.0.0.1:9", RATE_LIMIT_REPLICAS: "4" };
  const { gate, limiter, lines } = gateWith(t, environment);
  await eventually("trouble", () => lines.some(({ event }) => event === "rate_limit_store_unusable"));
  t.equal(limiter.storeUsable, false);
  const verdict = await gate.limiter.take("billing", "read", parseRate("100/s"));
  t.match(verdict, { allowed: true, limit: { quota: 25 } });
});

t.test("a shared store that can be used is logged too", { skip }, async (t) => {
  const redis = await TestRedis.start(t);
  const environment = { RATE_LIMIT_STORE: redis.url, RATE_LIMIT_REPLICAS: "4" };
  const { limiter, lines } = gateWith(t, environment);
  await eventually("the connection", () => lines.some(({ event }) => event === "rate_limit_store_usable"));
  t.equal(limiter.storeUsable, true);
  await limiter.close();
});

t.test("the password of the store comes from its file", { skip }, async (t) => {
  const redis = await TestRedis.start(t, { password: "CANARYpassword" });
  const folder = t.testdir({ password: "CANARYpassword\n" });
  const environment = {
    RATE_LIMIT_STORE: redis.url,
    RATE_LIMIT_STORE_PASSWORD_FILE: `${folder}/password`,
    RATE_LIMIT_REPLICAS: "1",
  };
  const { limiter, lines } = gateWith(t, environment);
  await eventually("the connection", () => limiter.storeUsable);
  t.notMatch(JSON.stringify(lines), "CANARY");
});
