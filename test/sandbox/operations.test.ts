import Fastify from "fastify";
import t from "tap";
import { listen, startSandbox } from "./helper.ts";

const apps = "/v1/api_apps";
const bad = (msg: string | RegExp) => ({ status: 400, json: { code: 4000, msg } });
const gone = {
  status: 200,
  json: { code: 4200, msg: /^Requested resource api_app_id=75 does not exist\.$/ },
};

t.test("create gives a normal app, exactly as documented", async (t) => {
  const { call } = await startSandbox(t);
  const { status, headers, json } = await call("POST", apps, { app_type: "normal", name: "one" });
  t.equal(status, 200);
  t.equal(headers.get("content-type"), "application/json; charset=utf-8");
  t.match(json, {
    code: 0,
    msg: "",
    data: { id: /^75\d{17}$/, name: "one", app_type: "normal", verify_token: /^[A-Za-z0-9]{60}$/ },
    detail: { logid: headers.get("x-tt-logid") },
  });
  t.same(Object.keys(json?.["data"] ?? {}), ["id", "name", "app_type", "verify_token"]);
});

t.test("create gives a connector app the channel's name", async (t) => {
  const { call } = await startSandbox(t);
  const { json } = await call("POST", apps, { app_type: "connector", connector_id: "1056", name: 7 });
  t.match(json, { data: { name: "channel 1056", app_type: "connector", connector_id: "1056" } });
});

t.test("create refuses wrong input", async (t) => {
  const { call, state } = await startSandbox(t);
  t.match(await call("POST", apps, { name: "x" }), bad("app_type is required"));
  t.match(await call("POST", apps, { app_type: "other" }), bad("app_type must be normal or connector"));
  t.match(await call("POST", apps, { app_type: "normal" }), bad("name is required when app_type is normal"));
  t.match(
    await call("POST", apps, { app_type: "connector" }),
    bad("connector_id is required when app_type is connector"),
  );
  const name = "名".repeat(129);
  t.match(await call("POST", apps, { app_type: "normal", name }), bad("name must be at most 128 characters"));
  t.match(await call("POST", apps, "{"), bad("the body is not valid JSON"));
  t.equal(state.apps.size, 0);
  t.match(await call("POST", apps, { app_type: "normal", name: name.slice(1) }), { json: { code: 0 } });
});

t.test("update renames, sets the URL, or does neither", async (t) => {
  const { base, call, create } = await startSandbox(t);
  const id = await create("one");
  const list = async () => (await call("GET", apps)).json?.["data"];
  const done = await call("PUT", `${apps}/${id}`, { name: "two" });
  t.same(done.json, { code: 0, msg: "", detail: { logid: done.headers.get("x-tt-logid") } });
  t.match(await list(), { items: [{ id, name: "two" }] });
  const callback_url = `${base}/_sandbox/callback`;
  t.match(await call("PUT", `${apps}/${id}`, { callback_url }), { status: 200, json: { code: 0 } });
  t.match(await call("PUT", `${apps}/${id}`, {}), { json: { code: 0 } });
  t.match(await list(), { items: [{ id, name: "two", callback_url }] });
});

t.test("update changes nothing when the URL fails the challenge", async (t) => {
  const { base, call, create, state } = await startSandbox(t);
  const id = await create("one");
  const refused = await call("PUT", `${apps}/${id}`, { name: "two", callback_url: `${base}/nowhere` });
  t.match(refused, bad(/^callback_url verification failed: /));
  t.match(state.app(id), { name: "one", callbackUrl: undefined });
});

t.test("the time for the challenge can be set", async (t) => {
  const { call, create } = await startSandbox(t, { challengeTimeoutMs: 20 });
  const silent = Fastify({ forceCloseConnections: true });
  silent.post("/", () => new Promise(() => {}));
  const id = await create();
  t.match(
    await call("PUT", `${apps}/${id}`, { callback_url: await listen(t, silent) }),
    bad("callback_url verification failed: challenge was not returned in time"),
  );
});

t.test("update refuses other URLs, wrong names and unknown apps", async (t) => {
  const { call, create } = await startSandbox(t);
  const id = await create();
  for (const callback_url of ["x", "ftp://example.com/", "javascript:1"]) {
    t.match(
      await call("PUT", `${apps}/${id}`, { callback_url }),
      bad("callback_url must be an http or https URL"),
    );
  }
  t.match(await call("PUT", `${apps}/${id}`, { name: "" }), bad("name must be a non-empty string"));
  t.match(await call("PUT", `${apps}/75`, { name: "x" }), gone);
});

t.test("an app deleted during its own challenge is unknown", async (t) => {
  const { call, create, state } = await startSandbox(t);
  const id = await create();
  const receiver = Fastify();
  receiver.post("/", async (request) => {
    state.apps.delete(id);
    return { challenge: (request.body as { event: { challenge: string } }).event.challenge };
  });
  const callback_url = await listen(t, receiver);
  t.match(await call("PUT", `${apps}/${id}`, { callback_url }), { status: 200, json: { code: 4200 } });
});

t.test("list pages through the apps and filters by type", async (t) => {
  const { call, create } = await startSandbox(t);
  t.same((await call("GET", apps)).json?.["data"], { items: [], has_more: false });
  const ids = [await create("a"), await create("b"), await create("c")];
  await call("POST", apps, { app_type: "connector", connector_id: "9" });
  const first = await call("GET", `${apps}?page_token=&page_size=2&app_type=normal`);
  t.match(first.json, { data: { items: [{ id: ids[0] }, { id: ids[1] }], has_more: true } });
  const token = (first.json as { data: { next_page_token: string } }).data.next_page_token;
  const next = `${apps}?page_size=2&app_type=normal&page_token=`;
  const last = (await call("GET", next + encodeURIComponent(token))).json?.["data"] as object;
  t.match(last, { items: [{ id: ids[2], verify_token: /^\w{60}$/ }], has_more: false });
  t.notOk("next_page_token" in last);
  t.match(await call("GET", next + token), bad("page_token is invalid"), "a + that was not URL-encoded");
  t.match(await call("GET", `${apps}?app_type=connector`), {
    json: { data: { items: [{ connector_id: "9" }] } },
  });
  t.match(await call("GET", `${apps}?page_size=51`), bad("page_size must be between 1 and 50"));
  t.match(await call("GET", `${apps}?app_type=x`), bad("app_type must be normal or connector"));
});

t.test("delete takes the documented empty JSON request, once", async (t) => {
  const { call, create, state } = await startSandbox(t);
  const id = await create();
  await call("POST", `${apps}/${id}/events`, { event_types: ["bot.published"] });
  const done = await call("DELETE", `${apps}/${id}`);
  t.same(done.json, { code: 0, msg: "", detail: { logid: done.headers.get("x-tt-logid") } });
  t.equal(state.apps.size, 0);
  t.match(await call("DELETE", `${apps}/${id}`), { status: 200, json: { code: 4200 } });
  t.match(await call("GET", `${apps}/${id}/events`), { status: 200, json: { code: 4200 } });
});

t.test("events are subscribed, listed page by page and unsubscribed", async (t) => {
  const { call, create } = await startSandbox(t);
  const events = `${apps}/${await create("one")}/events`;
  const id = events.split("/")[3];
  const done = await call("POST", events, { event_types: ["bot.published", "bot.renamed"] });
  t.same(done.json, { code: 0, msg: "", detail: { logid: done.headers.get("x-tt-logid") } });
  t.match(await call("POST", events, { event_types: ["bot.published"] }), { json: { code: 0 } });
  t.same((await call("GET", events)).json?.["data"], {
    items: [
      { api_app_id: id, name: "one", event_type: "bot.published", description: "An agent was published" },
      { api_app_id: id, name: "one", event_type: "bot.renamed", description: "" },
    ],
    has_more: false,
  });
  const first = (await call("GET", `${events}?page_size=1`)).json?.["data"] as { next_page_token: string };
  t.match(first, { items: [{ event_type: "bot.published" }], has_more: true });
  t.match(await call("GET", `${events}?page_token=${encodeURIComponent(first.next_page_token)}`), {
    json: { data: { items: [{ event_type: "bot.renamed" }], has_more: false } },
  });
  const removed = await call("DELETE", events, { event_types: ["bot.published", "not.subscribed"] });
  t.same(removed.json, { code: 0, msg: "", detail: { logid: removed.headers.get("x-tt-logid") } });
  t.match((await call("GET", events)).json, { data: { items: [{ event_type: "bot.renamed" }] } });
});

t.test("event operations refuse a missing body and an unknown app", async (t) => {
  const { call, create } = await startSandbox(t);
  const events = `${apps}/${await create()}/events`;
  for (const method of ["POST", "DELETE"]) {
    t.match(await call(method, events), bad("a JSON body is required"));
    t.match(await call(method, events, {}), bad("event_types is required"));
    t.match(await call(method, `${apps}/75/events`, { event_types: ["x"] }), gone);
  }
  t.match(await call("GET", `${apps}/75/events`), gone);
});
