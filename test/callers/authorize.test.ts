import t from "tap";
import { authorize, authorizeInput, type OwnersOf } from "../../src/callers/authorize.ts";
import { GatewayError } from "../../src/errors.ts";
import type { Action, OperationInput } from "../../src/operation.ts";
import { createApiApp } from "../../src/operations/create-api-app.ts";
import { listApiApps } from "../../src/operations/list-api-apps.ts";
import { operations } from "../../src/operations/registry.ts";
import { subscribeEvents } from "../../src/operations/subscribe-events.ts";
import { callerWith, owners } from "./callers.ts";

const app = "7512045450401153075";

/** The names of the grants that let the action pass, or what the caller is told. */
async function decision(
  grants: readonly object[],
  action: Action,
  ownersOf: OwnersOf = owners({}).ownersOf,
  id: string | undefined = action.reach === "one_app" ? app : undefined,
): Promise<string> {
  try {
    const rules = await authorize(callerWith(...grants), action, id, ownersOf);
    return rules.map(({ name }) => name).join();
  } catch (error) {
    if (error instanceof GatewayError && error.error === "forbidden") return error.message;
    throw error;
  }
}

for (const operation of operations) {
  t.test(operation.id, async (t) => {
    const { permission, reach } = operation;
    const grant = (ids: "all" | "own" | readonly string[], ...names: readonly string[]) => ({
      permissions: names.length > 0 ? names : [permission],
      api_app_ids: ids,
    });
    const others = [...new Set(operations.map((other) => other.permission))].filter(
      (name) => name !== permission,
    );
    const noPermission = `Caller me does not hold the permission ${permission}.`;
    const noApp =
      reach === "one_app"
        ? `Caller me does not hold ${permission} on this callback app.`
        : `Caller me holds ${permission} on some callback apps; ${operation.id} needs it on own or all.`;
    /** What a grant on the app says: lists are filtered instead of refused, and an app to be made has no id yet. */
    const on = (names: string) => (reach === "new_app" ? noApp : names);
    /** What a grant on another app says. */
    const elsewhere = (names: string) => (reach === "listed_apps" ? names : noApp);
    const cases: Record<string, [grants: readonly object[], decision: string]> = {
      "no grant": [[], noPermission],
      "every other permission on all": [[grant("all", ...others)], noPermission],
      "the permission on all": [[grant("all")], "grants[0]"],
      "among others on all": [[grant("all", ...others, permission)], "grants[0]"],
      "on this app": [[grant([app])], on("grants[0]")],
      "on this app among others": [[grant(["1", app, "2"])], on("grants[0]")],
      "on another app": [[grant(["1"])], elsewhere("grants[0]")],
      "on an app whose id holds this one": [[grant([`${app}0`, app.slice(1)])], elsewhere("grants[0]")],
      "the permission on another app, others on all": [
        [grant(["1"]), grant("all", ...others)],
        elsewhere("grants[0]"),
      ],
      "others on this app, the permission on another": [
        [grant([app], ...others), grant(["1"])],
        elsewhere("grants[1]"),
      ],
      "on two apps in two grants": [
        [grant(["1"]), grant([app])],
        reach === "listed_apps" ? "grants[0],grants[1]" : on("grants[1]"),
      ],
      "on own apps, and nobody owns this one": [[grant("own")], reach === "one_app" ? noApp : "grants[0]"],
    };
    for (const [name, [grants, expected]] of Object.entries(cases))
      t.equal(await decision(grants, operation), expected, name);
    const mine = owners({ [app]: "me", "1": "you" });
    t.equal(await decision([grant("own")], operation, mine.ownersOf), "grants[0]", "on own apps");
    t.equal(mine.asked, reach === "one_app" ? 1 : 0);
    const yours = owners({ [app]: "you" });
    const refused = await decision([grant("own")], operation, yours.ownersOf);
    t.equal(refused, reach === "one_app" ? noApp : "grants[0]", "another's app");
    if (reach === "one_app")
      t.equal(
        refused,
        await decision([grant("own")], operation, yours.ownersOf, "nothing"),
        "as if it were none",
      );
  });
}

t.test("what concerns all apps takes a grant on all; what concerns none takes no grant", async (t) => {
  const action: Action = { id: "read_it", permission: "readAudit", idempotency: "safe", reach: "all_apps" };
  const grant = (api_app_ids: "all" | "own" | string[]) => ({ permissions: ["readAudit"], api_app_ids });
  const refused = "Caller me holds readAudit on some callback apps; read_it needs it on all.";
  t.equal(await decision([grant("all")], action), "grants[0]");
  t.equal(await decision([grant("own")], action), refused);
  t.equal(await decision([grant([app])], action), refused);
  t.equal(await decision([], { ...action, reach: "no_app" }), "");
});

t.test("a permission that is held only with limits of another kind", async (t) => {
  const grants = [{ permissions: ["listApiApp"], api_app_ids: "all", event_types: ["x"] }];
  t.equal(
    await decision(grants, listApiApps),
    "Caller me holds listApiApp only with limits that list_api_apps cannot keep to.",
  );
});

t.test("an id that no app can have is not asked about", async (t) => {
  const grants = [{ permissions: ["subscribeApiAppEvent"], api_app_ids: "own" }];
  const known = owners({ [app]: "me" });
  for (const id of ["a\0b", "a b", "", "x".repeat(65)])
    t.match(await decision(grants, subscribeEvents, known.ownersOf, id), /does not hold/);
  t.equal(known.asked, 0);
});

t.test("owners that cannot be read are no refusal", async (t) => {
  const ownersOf = () => Promise.reject(new GatewayError("audit_unavailable"));
  const grants = [{ permissions: ["subscribeApiAppEvent"], api_app_ids: "own" }];
  await t.rejects(decision(grants, subscribeEvents, ownersOf), {
    name: "GatewayError",
    error: "audit_unavailable",
  });
});

/** The names of the grants that the input takes, or what the caller is told. */
async function inputDecision(grants: readonly object[], action: Action, input: Partial<OperationInput>) {
  const caller = callerWith(...grants);
  const rules = await authorize(caller, action, app, owners({}).ownersOf);
  try {
    const taken = authorizeInput(caller, action, rules, { params: {}, query: {}, body: undefined, ...input });
    return taken.map(({ name }) => name).join();
  } catch (error) {
    return (error as Error).message;
  }
}

t.test("event types: each has to be allowed by some grant", async (t) => {
  const grant = (...event_types: string[]) => ({
    permissions: ["subscribeApiAppEvent"],
    api_app_ids: "all",
    ...(event_types.length > 0 && { event_types }),
  });
  const asked = (...event_types: string[]) => ({ body: { event_types } });
  const cases: [grants: object[], asked: string[], decision: string][] = [
    [[grant("a", "b")], ["a", "b"], "grants[0]"],
    [[grant("a"), grant()], ["b"], "grants[1]"],
    [[grant("a"), grant("a", "b")], ["a"], "grants[0],grants[1]"],
    [[grant("a"), grant("b")], ["a", "b"], "grants[0],grants[1]"],
    [[grant("a")], ["a", "b"], "Caller me holds subscribeApiAppEvent, but not for the event type b."],
    [[grant("a")], ["A"], "Caller me holds subscribeApiAppEvent, but not for the event type A."],
  ];
  for (const [grants, event_types, expected] of cases)
    t.equal(await inputDecision(grants, subscribeEvents, asked(...event_types)), expected, expected);
});

t.test("app types: of the body of a create, of the query of a list", async (t) => {
  const grant = (permission: string) => ({
    permissions: [permission],
    api_app_ids: "all",
    app_types: ["normal"],
  });
  const create = (app_type: string) =>
    inputDecision([grant("createApiApp")], createApiApp, { body: { app_type, name: "x" } });
  t.equal(await create("normal"), "grants[0]");
  t.equal(await create("connector"), "Caller me holds createApiApp, but not for the app type connector.");
  const list = (query: OperationInput["query"]) =>
    inputDecision([grant("listApiApp")], listApiApps, { query });
  t.equal(await list({ app_type: "normal" }), "grants[0]");
  t.equal(await list({}), "grants[0]", "what is not asked for is left out of the reply instead");
  t.equal(
    await list({ app_type: "connector" }),
    "Caller me holds listApiApp, but not for the app type connector.",
  );
});
