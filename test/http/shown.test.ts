import t from "tap";
import { rulesFor } from "../../src/callers/grants.ts";
import { shownTo } from "../../src/http/shown.ts";
import type { Operation } from "../../src/operation.ts";
import { createApiApp } from "../../src/operations/create-api-app.ts";
import { listApiApps } from "../../src/operations/list-api-apps.ts";
import { listSubscribedEvents } from "../../src/operations/list-subscribed-events.ts";
import { subscribeEvents } from "../../src/operations/subscribe-events.ts";
import { callerWith, owners } from "../callers/callers.ts";

const item = (id: string, app_type = "normal") =>
  `{ "id" : "${id}", "app_type":"${app_type}",  "n": 7512045450401153075, "verify_token":"secret-${id}"}`;
const list = (...items: readonly string[]) =>
  `{"code":0, "msg":"","data":{"items":[${items.join(", ")}],"has_more":true,"next_page_token":"x"},"detail":{}}`;
const redacted = (text: string) => text.replace(/secret-\w+/g, "[redacted]");

/** What a caller with these grants gets to see, and how often owners were asked for. */
async function shown(operation: Operation, body: string, ...grants: readonly object[]) {
  const caller = callerWith(...grants);
  const known = owners({ mine: "me", yours: "you" });
  const bytes = Buffer.from(body);
  const viewer = { caller, rules: rulesFor(caller, operation), ownersOf: known.ownersOf };
  const view = await shownTo(viewer, operation, bytes);
  return { text: view.toString(), same: view === bytes, asked: known.asked };
}

const lists = (api_app_ids: string | string[], limits: object = {}) => ({
  permissions: ["listApiApp"],
  api_app_ids,
  ...limits,
});
const secrets = (api_app_ids: string | string[]) => ({ permissions: ["readVerifyToken"], api_app_ids });
const all = list(item("mine"), item("yours"), item("nobodys", "connector"));

t.test("who may see everything gets Coze's own bytes, unread", async (t) => {
  const seen = await shown(listApiApps, all, lists("all"), secrets("all"));
  t.same(seen, { text: all, same: true, asked: 0 });
  const unreadable = await shown(listApiApps, "not JSON", lists("all"), secrets("all"));
  t.equal(unreadable.text, "not JSON");
});

t.test("a list on all: every item, without its verify_token, everything else as it was", async (t) => {
  t.match(await shown(listApiApps, all, lists("all")), { text: redacted(all), asked: 0 });
});

t.test("a list on own apps: those alone", async (t) => {
  t.match(await shown(listApiApps, all, lists("own")), { text: redacted(list(item("mine"))), asked: 1 });
  t.match(await shown(listApiApps, all, lists("own"), secrets("own")), { text: list(item("mine")) });
  t.match(await shown(listApiApps, all, lists("own"), lists(["nobodys"])), {
    text: redacted(list(item("mine"), item("nobodys", "connector"))),
  });
});

t.test("a list on named apps asks for no owner", async (t) => {
  t.match(await shown(listApiApps, all, lists(["yours"])), { text: redacted(list(item("yours"))), asked: 0 });
});

t.test("verify_token of own or named apps only", async (t) => {
  const own = await shown(listApiApps, list(item("mine"), item("yours")), lists("all"), secrets("own"));
  t.equal(own.text, list(item("mine"), redacted(item("yours"))));
  const named = await shown(listApiApps, list(item("mine"), item("yours")), lists("all"), secrets(["yours"]));
  t.equal(named.text, list(redacted(item("mine")), item("yours")));
});

t.test("app types", async (t) => {
  const normal = { app_types: ["normal"] };
  t.match(await shown(listApiApps, all, lists("all", normal)), {
    text: redacted(list(item("mine"), item("yours"))),
    asked: 0,
  });
  t.match(
    await shown(listApiApps, all, lists("own", normal), lists(["nobodys"], { app_types: ["connector"] })),
    {
      text: redacted(list(item("mine"), item("nobodys", "connector"))),
    },
  );
  const typeless = list('{"id":"mine"}');
  t.equal((await shown(listApiApps, typeless, lists("all", normal))).text, list(), "a type that is not said");
  t.equal((await shown(listApiApps, typeless, lists("own"))).text, typeless);
});

t.test("event types of an app", async (t) => {
  const event = (type: string) => `{"api_app_id":"mine","event_type":"${type}","name":"n"}`;
  const both = list(event("a"), event("b"));
  t.match(await shown(listSubscribedEvents, both, lists("own", { event_types: ["b"] })), {
    text: list(event("b")),
    asked: 0,
  });
  const unlimited = await shown(
    listSubscribedEvents,
    both,
    lists("own"),
    lists("own", { event_types: ["b"] }),
  );
  t.equal(unlimited.same, true);
});

t.test("the app that a caller makes is its own before any store knows it", async (t) => {
  const reply = `{"code":0,"msg":"","data":${item("new")}}`;
  const makes = (api_app_ids: string) => ({ permissions: ["createApiApp"], api_app_ids });
  t.match(await shown(createApiApp, reply, makes("own"), secrets("own")), { text: reply, asked: 0 });
  t.match(await shown(createApiApp, reply, makes("all")), { text: redacted(reply) });
  t.match(await shown(createApiApp, reply, makes("all"), secrets(["other"])), { text: redacted(reply) });
});

t.test("a change that is limited to event types answers with Coze's bytes", async (t) => {
  const grant = { permissions: ["subscribeApiAppEvent"], api_app_ids: "own", event_types: ["a"] };
  t.equal((await shown(subscribeEvents, '{"code":0,"msg":""}', grant)).same, true);
});

t.test("what cannot be read is not shown", async (t) => {
  await t.rejects(shown(listApiApps, '{"data":{"items":[{"verify_token":"x"}', lists("all")), {
    name: "UnreadableReply",
  });
  await t.rejects(shown(listApiApps, '{"data":{"items":{}}}', lists("own")), { name: "UnreadableReply" });
});
