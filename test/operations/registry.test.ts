import { readdir } from "node:fs/promises";
import t from "tap";
import { isMutating, type Operation } from "../../src/operation.ts";
import { operations, permissions } from "../../src/operations/registry.ts";
import { call, token } from "../helpers/gateway.ts";
import { sampleOf, samples, start } from "./helper.ts";

t.test("every file of the folder is in the registry", async (t) => {
  const folder = new URL("../../src/operations/", import.meta.url);
  const names = (await readdir(folder)).filter((name) => !/^(registry|schemas)\.ts$/.test(name)).sort();
  const declared: Operation[] = [];
  for (const name of names) {
    const [operation]: Operation[] = Object.values(await import(new URL(name, folder).href));
    if (!operation) throw new Error(`${name} declares nothing`);
    t.equal(name, `${operation.id.replaceAll("_", "-")}.ts`, `${name} is named for its operation`);
    t.ok(operations.includes(operation), `${name} has its line`);
    declared.push(operation);
  }
  t.equal(operations.length, declared.length);
  t.equal(new Set(operations.map(({ id }) => id)).size, operations.length, "ids differ");
  t.equal(new Set(operations.map(({ method, path }) => `${method} ${path}`)).size, operations.length);
  t.same(Object.keys(samples).sort(), operations.map(({ id }) => id).sort(), "each has a sample");
});

t.test("the table of operations is the documented one", async (t) => {
  t.same(
    operations.map(({ id, method, path, permission, idempotency }) =>
      [id, method, path, permission, idempotency].join(" "),
    ),
    [
      "create_api_app POST /v1/api_apps createApiApp once",
      "update_api_app PUT /v1/api_apps/:api_app_id updateApiApp idempotent",
      "list_api_apps GET /v1/api_apps listApiApp safe",
      "delete_api_app DELETE /v1/api_apps/:api_app_id deleteApiApp idempotent",
      "subscribe_events POST /v1/api_apps/:api_app_id/events subscribeApiAppEvent idempotent",
      "list_subscribed_events GET /v1/api_apps/:api_app_id/events listApiApp safe",
      "unsubscribe_events DELETE /v1/api_apps/:api_app_id/events unsubscribeApiAppEvent idempotent",
    ],
  );
  t.same([...permissions].sort(), [
    "createApiApp",
    "deleteApiApp",
    "listApiApp",
    "readAudit",
    "readVerifyToken",
    "subscribeApiAppEvent",
    "unsubscribeApiAppEvent",
    "updateApiApp",
  ]);
});

for (const operation of operations) {
  const sample = sampleOf(operation);

  t.test(`${operation.id}: exactly the documented request reaches Coze`, async (t) => {
    const { call, sandbox } = await start(t);
    sandbox.faults.add({ body: sample.reply });
    const { status, text } = await call(operation.method, sample.path, sample.body, {
      cookie: "a=b",
      "x-anything": "1",
      "accept-language": "zh",
    });
    t.equal(status, 200, text);
    t.equal(text, sample.reply, "the reply is Coze's own");
    t.equal(sandbox.calls.length, 1);
    const [seen] = sandbox.calls;
    t.equal(seen?.method, operation.method);
    t.equal(seen?.url, sample.target ?? sample.path);
    t.equal(seen?.body, sample.sent ?? "");
    t.match(seen?.headers, [
      ["host", /^127\.0\.0\.1:\d+$/],
      ["connection", "keep-alive"],
      ["authorization", `Bearer ${token}`],
      ["accept", "application/json"],
      ["accept-encoding", "identity"],
      ["content-type", "application/json"],
      ["user-agent", /^coze-gateway\/\d+\.\d+\.\d+$/],
      ["accept-language", "zh"],
      ...(sample.sent ? [["content-length", String(sample.sent.length)]] : []),
    ]);
    t.equal(seen?.headers.length, sample.sent ? 9 : 8, "no other header");
  });

  t.test(`${operation.id}: 401, 403 and 400 never reach Coze`, async (t) => {
    const { url, call: callAsTester, sandbox, keys } = await start(t);
    const callWith = (headers: Record<string, string>) =>
      call(url + sample.path, operation.method, headers, sample.body);
    for (const headers of [{}, { authorization: "Bearer wrong" }] as Record<string, string>[]) {
      const { status, body, headers: given } = await callWith(headers);
      t.equal(status, 401);
      t.equal(body.gateway.error, "unauthenticated");
      t.match(given.get("www-authenticate"), /^Bearer/);
    }
    const idle = await callWith({ authorization: `Bearer ${keys.idle}` });
    t.equal(idle.status, 403);
    t.equal(idle.body.msg, `Caller idle does not hold the permission ${operation.permission}.`);
    const narrow = await callWith({ authorization: `Bearer ${keys.narrow}` });
    if (operation.reach === "listed_apps") {
      t.same([narrow.status, narrow.body.data.items], [200, []], "a list is filtered instead");
      sandbox.calls.length = 0;
    } else {
      t.equal(narrow.status, 403);
      t.equal(
        narrow.body.msg,
        operation.reach === "one_app"
          ? `Caller narrow does not hold ${operation.permission} on this callback app.`
          : `Caller narrow holds ${operation.permission} on some callback apps; ${operation.id} needs it on own or all.`,
      );
    }
    const { path = sample.path, body, field } = sample.bad;
    const bad = await callAsTester(operation.method, path, body);
    t.equal(bad.status, 400);
    t.equal(bad.body.gateway.error, "invalid_request");
    t.equal(bad.body.gateway.issues[0]?.path, field);
    t.same(sandbox.calls, []);
  });

  t.test(`${operation.id}: a parameter that it does not declare is refused by name`, async (t) => {
    const { call, sandbox } = await start(t);
    const glue = sample.path.includes("?") ? "&" : "?";
    const { status, body } = await call(operation.method, `${sample.path}${glue}force=1`, sample.body);
    t.equal(status, 400);
    t.same(body.gateway.issues, [{ path: "query.force", message: "is not a field of this operation" }]);
    t.same(sandbox.calls, []);
  });

  t.test(`${operation.id}: after a 503 it is repeated only when that is harmless`, async (t) => {
    const { call, sandbox } = await start(t);
    sandbox.faults.add({ status: 503 }, { body: sample.reply });
    const { status, body, headers } = await call(operation.method, sample.path, sample.body);
    const repeats = operation.idempotency !== "once";
    t.equal(sandbox.calls.length, repeats ? 2 : 1);
    t.equal(headers.get("x-gateway-attempts"), repeats ? "2" : "1");
    t.equal(status, repeats ? 200 : 502);
    t.equal(body.gateway?.error, repeats ? undefined : "coze_unavailable");
    t.equal(body.gateway?.outcome, repeats ? undefined : "unknown");
  });

  t.test(`${operation.id}: with retries used up, an outcome is told for changes only`, async (t) => {
    const { call, sandbox } = await start(t, { MAX_ATTEMPTS: "1" });
    sandbox.faults.add({ code: 4000, status: 200, msg: "no" });
    const { status, body } = await call(operation.method, sample.path, sample.body);
    t.equal(status, 400);
    t.equal(body.gateway.error, "coze_invalid_request");
    t.equal(body.gateway.outcome, isMutating(operation) ? "refused" : undefined);
  });
}
