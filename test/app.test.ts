import t from "tap";
import { startGateway, startSandbox } from "./helpers/gateway.ts";

t.test("a life of a callback app through the gateway", async (t) => {
  const coze = await startSandbox(t);
  const { call } = await startGateway(t, coze.url);
  const created = await call("POST", "/v1/api_apps", { app_type: "normal", name: "one" });
  t.equal(created.status, 200);
  const id = created.body.data.id;
  t.match(id, /^\d{19}$/);
  t.equal(
    (await call("PUT", `/v1/api_apps/${id}`, { callback_url: `${coze.url}/_sandbox/callback` })).status,
    200,
  );
  t.equal((await call("POST", `/v1/api_apps/${id}/events`, { event_types: ["bot.published"] })).status, 200);
  const events = await call("GET", `/v1/api_apps/${id}/events`);
  t.same(
    events.body.data.items.map(({ event_type }) => event_type),
    ["bot.published"],
  );
  t.equal(
    (await call("DELETE", `/v1/api_apps/${id}/events`, { event_types: ["bot.published"] })).status,
    200,
  );
  t.equal((await call("DELETE", `/v1/api_apps/${id}`)).status, 200);
  const list = await call("GET", "/v1/api_apps");
  t.same(list.body.data.items, []);
});
