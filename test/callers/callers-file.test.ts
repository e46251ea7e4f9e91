import t from "tap";
import { callersFile, limitsOf } from "../../src/callers/callers-file.ts";
import { parseRate } from "../../src/config/rate.ts";

t.test("everything that a caller can have", async (t) => {
  const { callers } = callersFile.parse({
    callers: [
      {
        id: "billing",
        grants: [
          { permissions: ["createApiApp"], api_app_ids: "own", app_types: ["normal"] },
          { permissions: ["subscribeApiAppEvent"], api_app_ids: "all", event_types: ["bot.published"] },
        ],
        rate_limits: { read: "5/s", destructive: "unlimited" },
        weight: 100,
      },
    ],
  });
  t.match(callers, [
    { rate_limits: { read: parseRate("5/s"), destructive: parseRate("unlimited") }, weight: 100 },
  ]);
  t.same(callers[0]?.grants.map(limitsOf), [["app_types"], ["event_types"]]);
  t.equal(callers[0]?.rate_limits.write, undefined);
});

t.test("without any, the defaults", async (t) => {
  t.same(callersFile.parse({ callers: [{ id: "a" }] }), {
    issuers: [],
    callers: [{ id: "a", keys: [], identities: [], grants: [], rate_limits: {}, weight: 1 }],
  });
  t.same(limitsOf({}), []);
});

t.test("a limit goes with a permission when some operation of it can keep to the limit", async (t) => {
  const grant = (permission: string, limits: object) =>
    callersFile.safeParse({
      callers: [{ id: "a", grants: [{ permissions: [permission], api_app_ids: "all", ...limits }] }],
    }).success;
  const appTypes = { app_types: ["connector"] };
  const eventTypes = { event_types: ["bot.published", "x"] };
  for (const permission of ["createApiApp", "listApiApp"]) t.ok(grant(permission, appTypes), permission);
  for (const permission of ["subscribeApiAppEvent", "unsubscribeApiAppEvent", "listApiApp"])
    t.ok(grant(permission, eventTypes), permission);
  for (const permission of ["updateApiApp", "deleteApiApp", "readAudit", "readVerifyToken"]) {
    t.notOk(grant(permission, appTypes), permission);
    t.notOk(grant(permission, eventTypes), permission);
    t.ok(grant(permission, {}), permission);
  }
  t.notOk(grant("createApiApp", eventTypes));
  t.notOk(grant("subscribeApiAppEvent", appTypes));
});
