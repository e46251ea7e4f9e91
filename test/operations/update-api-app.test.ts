import t from "tap";
import { appId, issueOf, start, success } from "./helper.ts";

const path = `/v1/api_apps/${appId}`;
const notHttp = "body.callback_url: must match ^[Hh][Tt][Tt][Pp][Ss]?://[^/?#\\s] (An http or https URL.)";

const refused: readonly [body: unknown, issue: string][] = [
  [{}, "body: needs at least one of: name, callback_url"],
  [{ callback_url: "ftp://hooks.example.com" }, notHttp],
  [{ callback_url: "javascript:alert(1)" }, notHttp],
  [{ callback_url: "https://" }, notHttp],
  [{ callback_url: "https:///path" }, notHttp],
  [{ callback_url: "https://a b.example" }, "body.callback_url: must be a uri"],
  [{ callback_url: `https://${"a".repeat(2048)}` }, "body.callback_url: must have at most 2048 characters"],
  [{ callback_url: 5 }, "body.callback_url: must be of type string"],
  [{ name: 5 }, "body.name: must be of type string"],
  [{ name: "a", app_type: "normal" }, "body.app_type: is not a field of this operation"],
  [{ api_app_id: appId }, "body.api_app_id: is not a field of this operation"],
  [[], "body: must be a JSON object"],
  [undefined, "body: must be a JSON object"],
];

t.test("what is refused, with the field named", async (t) => {
  const { call, sandbox } = await start(t);
  for (const [body, issue] of refused) {
    const reply = await call("PUT", path, body);
    t.equal(
      reply.body.gateway.issues.map((each) => `${each.path}: ${each.message}`).includes(issue),
      true,
      `${JSON.stringify(body)}: ${reply.text}`,
    );
  }
  t.same(sandbox.calls, []);
});

t.test("an empty body names all fields that would do", async (t) => {
  const { call } = await start(t);
  t.equal(issueOf(await call("PUT", path, {})), "body: needs at least one of: name, callback_url");
});

t.test("each field alone is enough, and http in any case", async (t) => {
  const { call, sandbox } = await start(t);
  for (const body of [
    { name: "renamed" },
    { callback_url: "http://hooks.example.com/a?b=c#d" },
    { callback_url: "HTTPS://hooks.example.com" },
    { callback_url: "https://xn--fsq.example/%E4%BD%A0" },
  ]) {
    sandbox.faults.add(success);
    t.equal((await call("PUT", path, body)).status, 200);
    t.equal(sandbox.calls.at(-1)?.body, JSON.stringify(body));
  }
});

t.test("a URL that does not answer the challenge is Coze's 4000", async (t) => {
  const { call, url } = await start(t);
  const { body } = await call("POST", "/v1/api_apps", { app_type: "normal", name: "one" });
  const reply = await call("PUT", `/v1/api_apps/${body.data.id}`, { callback_url: `${url}/livez` });
  t.equal(reply.status, 400);
  t.equal(reply.body.code, 4000);
  t.match(reply.body.msg, /Coze says: "callback_url verification failed/);
});

t.test("an attempt has the time that Coze's own check of the URL takes", async (t) => {
  const { call, sandbox } = await start(t, { ATTEMPT_TIMEOUT_MS: "50" });
  sandbox.faults.add({ ...success, delay_ms: 200 }, { ...success, delay_ms: 200 });
  t.equal((await call("PUT", path, { name: "slow" })).status, 200);
  sandbox.faults.clear();
  sandbox.faults.add({ ...success, delay_ms: 200, times: 9 });
  t.equal((await call("POST", "/v1/api_apps", { app_type: "normal", name: "slow" })).status, 504);
});
