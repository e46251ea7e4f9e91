import type { FastifyRequest } from "fastify";
import Fastify from "fastify";
import t from "tap";
import { AuthenticationError } from "../../src/callers/authenticate.ts";
import { mintKey } from "../../src/callers/key.ts";
import { GatewayError, gatewayErrors } from "../../src/errors.ts";
import {
  asGatewayError,
  errorHandler,
  errorReply,
  errorReplyExample,
  outcomeToTell,
  rawErrorReply,
} from "../../src/http/error-reply.ts";
import { deleteApiApp } from "../../src/operations/delete-api-app.ts";
import { listApiApps } from "../../src/operations/list-api-apps.ts";
import { startGateway, startSandbox } from "../helpers/gateway.ts";
import { head, lockStore, recordsOf, start } from "./helper.ts";
import { exchange } from "./wire.ts";

t.test("an error in Coze's envelope", async (t) => {
  const { status, headers, body } = errorReply(new GatewayError("not_found"), "id-1");
  t.equal(status, 404);
  t.same(headers, {
    "x-request-id": "id-1",
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    "content-type": "application/json; charset=utf-8",
  });
  t.same(JSON.parse(body), {
    code: 404001,
    msg: gatewayErrors.not_found.message,
    detail: { logid: "" },
    gateway: { error: "not_found", request_id: "id-1", attempts: 0 },
  });
});

t.test("with all that can be known of a call", async (t) => {
  const { headers, body } = errorReply(
    new GatewayError("coze_throttled", {
      retryAfterS: 7,
      call: { attempts: 3, stopped: "attempts_used_up", outcome: "refused", code: 4009, logid: "L1" },
    }),
    "id-1",
    "refused",
  );
  t.equal(headers["retry-after"], "7");
  t.equal(headers["x-gateway-attempts"], "3");
  t.equal(headers["x-tt-logid"], "L1");
  t.same(JSON.parse(body), {
    code: 4009,
    msg: gatewayErrors.coze_throttled.message,
    detail: { logid: "L1" },
    gateway: {
      error: "coze_throttled",
      request_id: "id-1",
      attempts: 3,
      stopped: "attempts_used_up",
      outcome: "refused",
    },
  });
});

t.test("a change that was refused before it was forwarded was not sent", async (t) => {
  const { call, requests } = await start(t);
  const app = "/v1/api_apps/7512345678901234567";
  for (const reply of [
    await call("DELETE", app, undefined, { authorization: "Bearer wrong" }),
    await call("DELETE", app, { no: "body" }),
    await call("POST", "/v1/api_apps", "{"),
    await call("POST", "/v1/api_apps", { app_type: "normal" }),
    await call("PUT", app, "x".repeat(70_000)),
  ]) {
    t.ok([400, 401, 413].includes(reply.status), String(reply.status));
    t.match(reply.body.gateway, { outcome: "not_sent", attempts: 0 });
    const { request_id } = reply.body.gateway;
    const line = requests().find((one) => one["request_id"] === request_id);
    t.match(line, { outcome: "not_sent" }, "the log says the same");
  }
  for (const reply of [await call("GET", "/v1/api_apps?page_size=0"), await call("DELETE", "/nowhere")]) {
    t.notOk("outcome" in reply.body.gateway);
  }
});

t.test("only a failure of our own leaves a change in doubt that has no call to speak of", async (t) => {
  const requestFor = (operation: unknown) => ({ routeOptions: { config: { operation } } }) as FastifyRequest;
  const [ours, theirs] = [new GatewayError("internal"), new GatewayError("forbidden")];
  t.equal(outcomeToTell(requestFor(deleteApiApp), ours), "unknown");
  t.equal(outcomeToTell(requestFor(deleteApiApp), theirs), "not_sent");
  t.equal(outcomeToTell(requestFor(listApiApps), ours), undefined);
  t.equal(outcomeToTell(requestFor(undefined), ours), undefined);
});

t.test("each word has an example", async (t) => {
  for (const [word, { code }] of Object.entries(gatewayErrors)) {
    t.match(errorReplyExample(word as keyof typeof gatewayErrors), { code, gateway: { error: word } });
  }
});

t.test("the same as bytes", async (t) => {
  const bytes = rawErrorReply(new GatewayError("headers_too_large", { message: "é" }), "id-1");
  t.match(bytes, /^HTTP\/1\.1 431 Request Header Fields Too Large\r\nx-request-id: id-1\r\n/);
  const [, length, body] = /content-length: (\d+)\r\nconnection: close\r\n\r\n(.*)$/.exec(bytes) ?? [];
  t.equal(Buffer.byteLength(body ?? ""), Number(length));
});

t.test("errors of Fastify find their line; the rest is internal", async (t) => {
  const of = (code: string, statusCode?: number) =>
    asGatewayError(
      Object.assign(new Error("secret text"), {
        name: "FastifyError",
        code,
        ...(statusCode && { statusCode }),
      }),
    );
  t.equal(of("FST_ERR_CTP_BODY_TOO_LARGE", 413).error, "payload_too_large");
  t.equal(of("FST_ERR_CTP_INVALID_MEDIA_TYPE", 415).error, "unsupported_media_type");
  t.equal(of("FST_ERR_BAD_URL", 400).error, "malformed_http");
  t.equal(of("FST_ERR_OTHER", 400).error, "invalid_request");
  t.equal(of("FST_ERR_OTHER", 500).error, "internal");
  t.equal(of("FST_ERR_OTHER", 302).error, "internal");
  t.equal(of("EPIPE").error, "internal");
  for (const code of ["FST_ERR_OTHER", "EPIPE"]) t.notMatch(of(code, 400).message, "secret");
  const given = new GatewayError("forbidden");
  t.equal(asGatewayError(given), given);
});

t.test("what nobody foresaw is 500: its text is in the log and not in the reply", async (t) => {
  const lines: string[] = [];
  const reasons: string[] = [];
  const app = Fastify({
    logger: { level: "error", stream: { write: (line) => void lines.push(line) } },
  });
  t.teardown(() => app.close());
  const trail = { refuse: () => Promise.reject(new Error("nobody known is refused here")) };
  app.setErrorHandler(errorHandler(trail, (reason) => reasons.push(reason)));
  app.get("/broken", async () => {
    throw new Error("inner trouble");
  });
  app.get("/known", async () => {
    throw new AuthenticationError("expired");
  });
  const reply = await app.inject("/broken");
  t.equal(reply.statusCode, 500);
  t.equal(reply.json().gateway.error, "internal");
  t.notMatch(reply.body, "inner trouble");
  t.equal(lines.length, 1);
  t.match(lines[0], "inner trouble");
  t.match(lines[0], '"event":"internal_error"');
  t.equal((await app.inject("/known")).statusCode, 401);
  t.same(reasons, ["expired"]);
  t.equal(lines.length, 1, "what was foreseen is not an error of ours");
});

t.test(
  "a file of the docs page outside its folder, and QUERY without a type, are bad requests",
  async (t) => {
    const { port, key } = await start(t);
    for (const line of ["GET /docs/static/../../x", "QUERY /v1/api_apps"]) {
      const { status, body } = await exchange(port, head(key, line));
      t.equal(status, 400, line);
      t.equal(body.gateway.error, "invalid_request", line);
      t.equal(body.msg, "The request could not be read.");
    }
  },
);

const path = "/v1/api_apps/7512345678901234567";

t.test(
  "the refusal of a known caller is recorded, that of an unknown one and of no operation is not",
  async (t) => {
    const coze = await startSandbox(t);
    const idle = mintKey("idle");
    const gateway = await startGateway(t, coze.url, {}, [{ id: "idle", key: idle, grants: [] }]);
    const { call } = gateway;
    const told = [
      await call("DELETE", path, undefined, { authorization: `Bearer ${idle}` }),
      await call("PUT", path, { verify_token: "CANARY", name: "CANARY" }),
      await call("POST", "/v1/api_apps", "{CANARY"),
      await call("GET", "/v1/api_apps?page_size=CANARY"),
    ];
    await call("DELETE", path, undefined, { authorization: "Bearer wrong" });
    await call("DELETE", path, undefined, { authorization: "" });
    await call("DELETE", "/nowhere");
    const records = recordsOf(gateway);
    t.match(records, [
      {
        caller: "idle",
        operation: "delete_api_app",
        permission: "deleteApiApp",
        status: 403,
        error: "forbidden",
      },
      { caller: "tester", operation: "update_api_app", api_app_id: "7512345678901234567", status: 400 },
      { caller: "tester", operation: "create_api_app", status: 400, error: "invalid_request" },
      { caller: "tester", operation: "list_api_apps", status: 400, error: "invalid_request" },
    ]);
    t.strictSame(
      records.map(({ kind, outcome, request_id }) => [kind, outcome, request_id]),
      told.map(({ body }) => ["refused", "not_sent", body.gateway.request_id]),
    );
    t.notMatch(JSON.stringify(records), "CANARY");
    t.same(coze.sandbox.calls, []);
  },
);

t.test("a refusal that cannot be recorded is told as that", async (t) => {
  const gateway = await start(t, { AUDIT_TIMEOUT_MS: "1000" });
  const unlock = lockStore(gateway);
  const { status, body, headers } = await gateway.call("DELETE", path, { no: "body" });
  unlock();
  t.equal(status, 503);
  t.match(body, { code: 503005, gateway: { error: "audit_unavailable", outcome: "not_sent", attempts: 0 } });
  t.equal(headers.get("retry-after"), "2");
});
