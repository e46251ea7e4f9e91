import t from "tap";
import { auditRecord } from "../../src/audit/record.ts";
import { covers, nameOf, needsOwner, permits, type Rule, rulesFor } from "../../src/callers/grants.ts";
import { listApiApps } from "../../src/operations/list-api-apps.ts";
import { listSubscribedEvents } from "../../src/operations/list-subscribed-events.ts";
import { callerWith } from "./callers.ts";

const list = (api_app_ids: string | string[], limits: object = {}) => ({
  permissions: ["listApiApp"],
  api_app_ids,
  ...limits,
});

t.test(
  "the grants of an action: those with its permission, and no limit that it cannot keep to",
  async (t) => {
    const caller = callerWith(
      { permissions: ["deleteApiApp"], api_app_ids: "all" },
      list("all"),
      list("own", { app_types: ["normal"] }),
      list("own", { event_types: ["bot.published"] }),
    );
    const names = (action: Parameters<typeof rulesFor>[1]) =>
      rulesFor(caller, action).map(({ name }) => name);
    t.same(names(listApiApps), ["grants[1]", "grants[2]"]);
    t.same(names(listSubscribedEvents), ["grants[1]", "grants[3]"]);
    t.same(names({ permission: "deleteApiApp" }), ["grants[0]"]);
    t.same(names({ permission: "createApiApp" }), []);
  },
);

t.test("which apps a grant holds for", async (t) => {
  const caller = callerWith(list("all"), list("own"), list(["7", "8"]));
  const found = (app: { id?: string; owner?: string }) =>
    caller.grants.map((grant) => covers(grant, { id: app.id, owner: app.owner }, caller));
  t.same(found({ id: "7", owner: "me" }), [true, true, true]);
  t.same(found({ id: "7", owner: "you" }), [true, false, true]);
  t.same(found({ id: "9" }), [true, false, false]);
  t.same(found({ owner: "me" }), [true, true, false]);
  t.same(found({}), [true, false, false]);
  // Ids are compared whole, and in their case.
  t.same(found({ id: "own" }), [true, false, false]);
  t.same(found({ id: "l" }), [true, false, false]);
});

t.test("limits hold for what is named", async (t) => {
  const [grant, free] = callerWith(list("all", { app_types: ["normal"] }), list("all")).grants;
  if (!grant || !free) throw new Error("no grants");
  t.ok(permits(grant, { app_types: "normal" }));
  t.ok(permits(grant, { event_types: "anything" }));
  t.notOk(permits(grant, { app_types: "connector" }));
  t.notOk(permits(grant, { app_types: "" }));
  t.ok(permits(grant, {}));
  t.ok(permits(free, { app_types: "connector" }));
});

t.test("the owner is asked for only where it matters", async (t) => {
  const asks = (grants: object[], id?: string) => {
    const caller = callerWith(...grants);
    return needsOwner(caller, rulesFor(caller, listSubscribedEvents), id);
  };
  t.equal(asks([list("own")], "7"), true);
  t.equal(asks([list("own"), list(["8"])], "7"), true);
  t.equal(asks([list("own"), list(["7"])], "7"), false);
  t.equal(asks([list("own"), list("all")], "7"), false);
  t.equal(asks([list(["8"])], "7"), false);
  t.equal(asks([list("own"), list("all", { event_types: ["x"] })], "7"), true, "own may allow more events");
});

t.test("names of rules fit into one short word", async (t) => {
  const rule = (index: number): Rule => ({
    name: `grants[${index}]`,
    grant: callerWith(list("all")).grants[0] as never,
  });
  t.equal(nameOf([]), "");
  t.equal(nameOf(), "");
  t.equal(nameOf([rule(2), rule(0), rule(2)]), "grants[2]+grants[0]");
  const many = Array.from({ length: 5_000 }, (_, index) => rule(index));
  t.match(nameOf(many), /^grants\[0\]\+.*\+grants\[7\]\+\.\.\.$/);
  for (const names of [many.slice(0, 1), many.slice(0, 2), many.slice(4_990), many])
    t.ok(auditRecord.shape.rule.safeParse(nameOf(names)).success, "the audit trail has place for it");
});
