import t from "tap";
import { start } from "./helper.ts";

t.test("it changes what the app is subscribed to", async (t) => {
  const { call, sandbox } = await start(t);
  const { body } = await call("POST", "/v1/api_apps", { app_type: "normal", name: "one" });
  const path = `/v1/api_apps/${body.data.id}/events`;
  await call("POST", path, { event_types: ["bot.deleted", "bot.published"] });
  const { status, text } = await call("POST", path, { event_types: ["bot.deleted"] });
  t.equal(status, 200, text);
  const app = sandbox.state.apps.get(body.data.id);
  t.same([...(app?.events.keys() ?? [])], ["bot.deleted", "bot.published"]);
});
