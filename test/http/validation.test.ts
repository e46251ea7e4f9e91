import t from "tap";
import { issuesOf } from "../../src/http/validation.ts";
import { start } from "./helper.ts";

t.test("all mistakes at once, up to twenty", async (t) => {
  const { call, sandbox } = await start(t);
  const several = await call("POST", "/v1/api_apps", { app_type: "normal", connector_id: "!", x: 1 });
  t.same(several.body.gateway.issues.map(({ path }) => path).sort(), [
    "body.connector_id",
    "body.name",
    "body.x",
  ]);
  const hostile = Object.fromEntries(Array.from({ length: 3000 }, (_, index) => [`f${index}`, 1]));
  const { body } = await call("POST", "/v1/api_apps", { app_type: "normal", name: "a", ...hostile });
  t.equal(body.gateway.issues.length, 20);
  t.same(sandbox.calls, []);
});

t.test("a name that is refused is quoted short and without credentials", async (t) => {
  const { call, key } = await start(t);
  const [long] = (await call("PUT", "/v1/api_apps/1", { ["x".repeat(5000)]: 1 })).body.gateway.issues;
  t.equal(long?.path, `body.${"x".repeat(128)}`);
  for (const name of [key, `my_${key}`, `x${key}y`]) {
    const { text, body } = await call("PUT", "/v1/api_apps/1", { [name]: 1 });
    t.notMatch(text, key.slice(-30));
    t.match(body.gateway.issues[0]?.path, "cgw_tester_[redacted]");
  }
});

t.test("text of a URL is read as a number, a JSON body never is", async (t) => {
  const { call, sandbox } = await start(t);
  sandbox.faults.add({ body: '{"code":0}' });
  for (const size of ["Infinity", "-Infinity", "1e999", "9".repeat(400)]) {
    const { status, body } = await call("GET", `/v1/api_apps?page_size=${size}`);
    t.equal(status, 400, size);
    t.same(body.gateway.issues, [{ path: "query.page_size", message: "must be between 1 and 50" }]);
  }
  t.equal((await call("GET", "/v1/api_apps?page_size=7")).status, 200);
  t.equal(sandbox.calls[0]?.url, "/v1/api_apps?page_size=7");
  for (const name of [7, true, null, [], {}]) {
    const { status, body } = await call("POST", "/v1/api_apps", { app_type: "normal", name });
    t.equal(status, 400);
    t.same(body.gateway.issues, [{ path: "body.name", message: "must be of type string" }]);
  }
});

t.test("a refusal by a pattern without a description, and of no known part", async (t) => {
  const error = {
    keyword: "pattern",
    instancePath: "/a/b",
    schemaPath: "",
    params: { pattern: "^x$" },
    parentSchema: { pattern: "^x$" },
  };
  t.same(issuesOf([error]), [{ path: "request.a.b", message: "must match ^x$" }]);
  t.same(issuesOf([error], "querystring"), [{ path: "query.a.b", message: "must match ^x$" }]);
});
