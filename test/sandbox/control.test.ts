import t from "tap";
import { startSandbox } from "./helper.ts";

const open = { authorization: "" };

t.test("faults are added one or several at a time, listed and cleared", async (t) => {
  const { call } = await startSandbox(t);
  t.match(await call("POST", "/_sandbox/faults", { status: 500 }, open), { status: 200 });
  const added = await call("POST", "/_sandbox/faults", [{ code: 4009 }, { html: true, times: 3 }], open);
  const all = {
    faults: [
      { status: 500, times: 1 },
      { code: 4009, times: 1 },
      { html: true, times: 3 },
    ],
  };
  t.same(added.json, all);
  t.equal((await call("GET", "/v1/api_apps")).status, 500);
  t.same((await call("GET", "/_sandbox/faults", undefined, open)).json, { faults: all.faults.slice(1) });
  t.equal((await call("DELETE", "/_sandbox/faults", undefined, open)).status, 204);
  t.same((await call("GET", "/_sandbox/faults")).json, { faults: [] });
});

t.test("a wrong fault adds nothing and says what is allowed", async (t) => {
  const { call, faults } = await startSandbox(t);
  const refused = await call("POST", "/_sandbox/faults", [{ status: 500 }, { staus: 500 }]);
  t.equal(refused.status, 400);
  t.match(refused.json, { error: /not a fault: \{"staus":500\}; allowed are .*status/ });
  for (const body of ["", "{", "null"]) {
    t.equal((await call("POST", "/_sandbox/faults", body)).status, 400);
  }
  t.same(faults.list(), []);
});

t.test("recorded calls are given and forgotten; control calls are not among them", async (t) => {
  const { call } = await startSandbox(t);
  const { headers } = await call("GET", "/v1/api_apps");
  const { json } = await call("GET", "/_sandbox/calls", undefined, open);
  t.match(json, { calls: [{ method: "GET", url: "/v1/api_apps", logid: headers.get("x-tt-logid") }] });
  t.equal((json as { calls: unknown[] }).calls.length, 1);
  t.equal((await call("DELETE", "/_sandbox/calls")).status, 204);
  t.same((await call("GET", "/_sandbox/calls")).json, { calls: [] });
});

t.test("the state shows every app with its event types, and is reset", async (t) => {
  const { call, create } = await startSandbox(t);
  const id = await create("one");
  await call("POST", `/v1/api_apps/${id}/events`, { event_types: ["bot.published", "bot.deleted"] });
  t.match((await call("GET", "/_sandbox/state", undefined, open)).json, {
    apps: [{ id, name: "one", app_type: "normal", event_types: ["bot.published", "bot.deleted"] }],
  });
  t.equal((await call("DELETE", "/_sandbox/state")).status, 204);
  t.same((await call("GET", "/_sandbox/state")).json, { apps: [] });
});

t.test("the callback receiver echoes the challenge", async (t) => {
  const { base, call, create } = await startSandbox(t);
  const echoed = await call("POST", "/_sandbox/callback", { event: { challenge: "c" } }, open);
  t.same(echoed.json, { challenge: "c" });
  for (const body of [null, {}, { event: 1 }]) {
    t.same((await call("POST", "/_sandbox/callback", body)).json, {});
  }
  t.equal((await call("POST", "/_sandbox/callback", "{")).status, 400);
  const id = await create();
  const updated = await call("PUT", `/v1/api_apps/${id}`, { callback_url: `${base}/_sandbox/callback` });
  t.match(updated.json, { code: 0 });
});

t.test("another control path is 404 and not taken for a call to Coze", async (t) => {
  const { call, calls } = await startSandbox(t);
  t.match(await call("GET", "/_sandbox/fault"), { status: 404, json: { error: "no such control route" } });
  t.same(calls, []);
});
