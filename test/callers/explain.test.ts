import t from "tap";
import { explain } from "../../src/callers/explain.ts";
import { GatewayError } from "../../src/errors.ts";
import { createApiApp } from "../../src/operations/create-api-app.ts";
import { deleteApiApp } from "../../src/operations/delete-api-app.ts";
import { subscribeEvents } from "../../src/operations/subscribe-events.ts";
import { callerWith, owners } from "./callers.ts";

const caller = callerWith(
  { permissions: ["deleteApiApp"], api_app_ids: ["7"] },
  { permissions: ["deleteApiApp", "createApiApp"], api_app_ids: "own" },
  { permissions: ["subscribeApiAppEvent"], api_app_ids: "own", event_types: ["bot.published"] },
);
const { ownersOf } = owners({ "8": "me", "9": "you" });

t.test("allowed, and by which grant", async (t) => {
  t.same(await explain(caller, deleteApiApp, { api_app_id: "7" }, ownersOf), {
    operation: "delete_api_app",
    allowed: true,
    rule: "grants[0]",
  });
  t.match(await explain(caller, deleteApiApp, { api_app_id: "8" }, ownersOf), { rule: "grants[1]" });
  t.match(await explain(caller, createApiApp, { app_type: "normal" }, ownersOf), { rule: "grants[1]" });
  const intent = { api_app_id: "8", event_type: "bot.published" };
  t.match(await explain(caller, subscribeEvents, intent, ownersOf), { allowed: true, rule: "grants[2]" });
});

t.test("not allowed, and why", async (t) => {
  t.same(await explain(caller, deleteApiApp, { api_app_id: "9" }, ownersOf), {
    operation: "delete_api_app",
    allowed: false,
    reason: "Caller me does not hold deleteApiApp on this callback app.",
  });
  t.match(await explain(caller, deleteApiApp, {}, ownersOf), { allowed: false });
  const intent = { api_app_id: "8", event_type: "bot.deleted" };
  t.match(await explain(caller, subscribeEvents, intent, ownersOf), {
    reason: "Caller me holds subscribeApiAppEvent, but not for the event type bot.deleted.",
  });
});

t.test("when owners cannot be read there is no decision", async (t) => {
  const broken = () => Promise.reject(new GatewayError("audit_unavailable"));
  await t.rejects(explain(caller, deleteApiApp, { api_app_id: "8" }, broken), {
    name: "GatewayError",
    error: "audit_unavailable",
  });
});
