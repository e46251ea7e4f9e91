import t from "tap";
import { isApiAppId } from "../../src/operations/schemas.ts";
import { appId, issueOf, start, success } from "./helper.ts";

const malformed = "must match ^[A-Za-z0-9_-]+(\\.[A-Za-z0-9_-]+)*$";

t.test("event types: what is refused, with the field named", async (t) => {
  const { call, sandbox } = await start(t);
  const path = `/v1/api_apps/${appId}/events`;
  for (const [body, issue] of [
    [{}, "body.event_types: is required"],
    [{ event_types: [] }, "body.event_types: must not be an empty list"],
    [{ event_types: ["a", "b", "a"] }, "body.event_types: must not name anything twice"],
    [{ event_types: "bot.published" }, "body.event_types: must be of type array"],
    [{ event_types: [1] }, "body.event_types.0: must be of type string"],
    [{ event_types: ["a", "b c"] }, `body.event_types.1: ${malformed}`],
    [{ event_types: ["a."] }, `body.event_types.0: ${malformed}`],
    [{ event_types: [".a"] }, `body.event_types.0: ${malformed}`],
    [{ event_types: ["a..b"] }, `body.event_types.0: ${malformed}`],
    [{ event_types: [""] }, `body.event_types.0: ${malformed}`],
    [{ event_types: ["bot.published\n"] }, `body.event_types.0: ${malformed}`],
    [{ event_types: ["机器人"] }, `body.event_types.0: ${malformed}`],
    [{ event_types: ["a".repeat(129)] }, "body.event_types.0: must have at most 128 characters"],
    [
      { event_types: Array.from({ length: 101 }, (_, index) => `a${index}`) },
      "body.event_types: must have at most 100 items",
    ],
    [{ event_types: ["a"], events: 1 }, "body.events: is not a field of this operation"],
    [["a"], "body: must be a JSON object"],
    [undefined, "body: must be a JSON object"],
  ] as const) {
    for (const method of ["POST", "DELETE"]) {
      t.equal(issueOf(await call(method, path, body)), issue, `${method} ${JSON.stringify(body)}`);
    }
  }
  t.same(sandbox.calls, []);
});

t.test("event types that Coze may add later are passed on", async (t) => {
  const { call, sandbox } = await start(t);
  sandbox.faults.add({ ...success, times: 2 });
  const body = { event_types: ["bot.renamed", "v2.some-thing_new.x", "a".repeat(128)] };
  for (const method of ["POST", "DELETE"]) {
    t.equal((await call(method, `/v1/api_apps/${appId}/events`, body)).status, 200);
    t.equal(sandbox.calls.at(-1)?.body, JSON.stringify(body));
  }
});

t.test("app ids are opaque and stay exact", async (t) => {
  const { call, sandbox } = await start(t);
  for (const id of ["9223372036854775807", "0000000000000000001", "cli_a-B", "a".repeat(64), "%37"]) {
    sandbox.faults.add(success);
    t.equal((await call("DELETE", `/v1/api_apps/${id}`)).status, 200, id);
    t.equal(sandbox.calls.at(-1)?.url, `/v1/api_apps/${decodeURIComponent(id)}`);
  }
});

t.test("what is no app id is refused by name", async (t) => {
  const { call, sandbox } = await start(t);
  for (const id of ["a".repeat(65), "a.b", "a%20b", "%D9%A1", "a%00", "a%2Fb", "a;b", "a:b", "a*"]) {
    t.equal(
      issueOf(await call("DELETE", `/v1/api_apps/${id}`)),
      "params.api_app_id: must match ^[A-Za-z0-9_-]{1,64}$ (Id of the callback app: an opaque string, never a number.)",
      id,
    );
  }
  t.same(sandbox.calls, []);
});

t.test("an app id obeys the rule of all app ids", async (t) => {
  for (const text of ["7", "cli_a-B", "a".repeat(64)]) t.ok(isApiAppId(text), text);
  for (const text of ["", "a b", "a\n", "é", "a".repeat(65)]) t.notOk(isApiAppId(text), text);
  t.notOk(isApiAppId(undefined));
});
