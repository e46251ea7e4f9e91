import fc from "fast-check";
import t from "tap";
import { isMutating, requestTarget } from "../src/operation.ts";
import { listApiApps } from "../src/operations/list-api-apps.ts";
import { listSubscribedEvents } from "../src/operations/list-subscribed-events.ts";
import { operations } from "../src/operations/registry.ts";

t.test("what an operation is about follows from its declaration", async (t) => {
  t.same(
    operations.filter((operation) => !isMutating(operation)).map(({ id }) => id),
    ["list_api_apps", "list_subscribed_events"],
  );
});

t.test("the target: path, then query in the given order", async (t) => {
  const input = { params: { api_app_id: "7" }, query: { page_token: "a b", page_size: 2 }, body: undefined };
  t.equal(requestTarget(listSubscribedEvents, input), "/v1/api_apps/7/events?page_token=a%20b&page_size=2");
  t.equal(requestTarget(listApiApps, { ...input, query: {} }), "/v1/api_apps");
  t.equal(requestTarget(listApiApps, { ...input, query: { page_token: "" } }), "/v1/api_apps?page_token=");
});

t.test("a missing parameter leaves its place empty", async (t) => {
  const input = { params: {}, query: {}, body: undefined };
  t.equal(requestTarget(listSubscribedEvents, input), "/v1/api_apps//events");
});

t.test("whatever the values, they stay inside their places and come back equal", async (t) => {
  const text = fc.string({ unit: "binary" }).filter((value) => value.isWellFormed());
  t.doesNotThrow(() =>
    fc.assert(
      fc.property(text, text, (id, pageToken) => {
        const input = { params: { api_app_id: id }, query: { page_token: pageToken }, body: undefined };
        const target = requestTarget(listSubscribedEvents, input);
        const parts = /^\/v1\/api_apps\/([^/?#&=]*)\/events\?page_token=([^/?#&=]*)$/.exec(target);
        return (
          decodeURIComponent(parts?.[1] ?? "?") === id && decodeURIComponent(parts?.[2] ?? "?") === pageToken
        );
      }),
    ),
  );
});
