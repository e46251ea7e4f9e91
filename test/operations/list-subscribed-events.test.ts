import t from "tap";
import { appId, issueOf, start, success } from "./helper.ts";

t.test("it pages like the list of apps, but knows no app_type", async (t) => {
  const { call, sandbox } = await start(t);
  const path = `/v1/api_apps/${appId}/events`;
  sandbox.faults.add(success);
  t.equal((await call("GET", `${path}?page_size=50&page_token=a%2Bb`)).status, 200);
  t.equal(sandbox.calls.at(-1)?.url, `${path}?page_size=50&page_token=a%2Bb`);
  t.equal(
    issueOf(await call("GET", `${path}?app_type=normal`)),
    "query.app_type: is not a field of this operation",
  );
  t.equal(sandbox.calls.length, 1);
});

t.test("it lists what was subscribed", async (t) => {
  const { call } = await start(t);
  const { body } = await call("POST", "/v1/api_apps", { app_type: "normal", name: "one" });
  const path = `/v1/api_apps/${body.data.id}/events`;
  await call("POST", path, { event_types: ["bot.published", "custom.type_2"] });
  const { body: list } = await call("GET", path);
  t.match(list.data.items, [
    { api_app_id: body.data.id, name: "one", event_type: "bot.published" },
    { api_app_id: body.data.id, event_type: "custom.type_2" },
  ]);
});
