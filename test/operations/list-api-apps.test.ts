import t from "tap";
import { issueOf, start, success } from "./helper.ts";

t.test("a page token travels percent-encoded and arrives as it was", async (t) => {
  const { call, sandbox } = await start(t);
  for (const value of ["a+/=&%?#", "你好 \u2028😀", "%41", "a+b", "x".repeat(1024), ""]) {
    sandbox.faults.add(success);
    const { status } = await call("GET", `/v1/api_apps?page_token=${encodeURIComponent(value)}`);
    t.equal(status, 200);
    const target = sandbox.calls.at(-1)?.url ?? "";
    t.match(target, /^\/v1\/api_apps\?page_token=[A-Za-z0-9%._~!'()*-]*$/, "nothing stands bare");
    t.equal(decodeURIComponent(target.slice("/v1/api_apps?page_token=".length)), value);
  }
});

t.test("pages are walked with the sandbox's awkward tokens", async (t) => {
  const { call } = await start(t);
  for (const name of ["one", "two", "three"]) {
    await call("POST", "/v1/api_apps", { app_type: "normal", name });
  }
  const first = await call("GET", "/v1/api_apps?page_size=2");
  t.equal(first.body.data.items.length, 2);
  t.match(first.body.data.next_page_token, /[+/=]/);
  const token = encodeURIComponent(first.body.data.next_page_token);
  const second = await call("GET", `/v1/api_apps?page_size=2&page_token=${token}`);
  t.same(
    second.body.data.items.map(({ name }) => name),
    ["three"],
  );
  t.equal(second.body.data.has_more, false);
});

t.test("only what is asked for is sent; Coze has its own defaults", async (t) => {
  const { call, sandbox } = await start(t);
  for (const query of ["", "?page_size=1", "?page_size=50", "?app_type=normal", "?app_type=connector"]) {
    sandbox.faults.add(success);
    t.equal((await call("GET", `/v1/api_apps${query}`)).status, 200, query);
    t.equal(sandbox.calls.at(-1)?.url, `/v1/api_apps${query}`);
  }
});

t.test("what is refused, with the parameter named", async (t) => {
  const { call, sandbox } = await start(t);
  const between = "query.page_size: must be between 1 and 50";
  const integer = "query.page_size: must be of type integer";
  for (const [query, issue] of [
    ["page_size=0", between],
    ["page_size=51", between],
    ["page_size=-1", between],
    ["page_size=1.5", integer],
    ["page_size=ten", integer],
    ["page_size=", integer],
    ["page_size=1&page_size=2", integer],
    ["page_size=%zz", integer],
    ["app_type=other", "query.app_type: must be one of: normal, connector"],
    ["page_token=a&page_token=b", "query.page_token: must be of type string"],
    [`page_token=${"x".repeat(1025)}`, "query.page_token: must have at most 1024 characters"],
    ["size=1", "query.size: is not a field of this operation"],
    ["__proto__=1", "query.__proto__: is not a field of this operation"],
  ] as const) {
    t.equal(issueOf(await call("GET", `/v1/api_apps?${query}`)), issue, query);
  }
  t.same(sandbox.calls, []);
});
