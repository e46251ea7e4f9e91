import t from "tap";
import { exchange } from "../http/wire.ts";
import { appId, issueOf, start, success } from "./helper.ts";

t.test("Coze's documented form, JSON announced and no body, is accepted", async (t) => {
  const { port, key, sandbox } = await start(t);
  for (const framing of ["", "Content-Length: 0\r\n", "Transfer-Encoding: chunked\r\n"]) {
    sandbox.faults.add(success);
    const end = framing.startsWith("T") ? "0\r\n\r\n" : "";
    const { status } = await exchange(
      port,
      `DELETE /v1/api_apps/${appId} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${key}\r\n` +
        `Content-Type: application/json\r\n${framing}Connection: close\r\n\r\n${end}`,
    );
    t.equal(status, 200, framing);
    const seen = sandbox.calls.at(-1);
    t.equal(seen?.url, `/v1/api_apps/${appId}`);
    t.equal(seen?.body, "");
  }
});

t.test("a body is refused, even an empty object", async (t) => {
  const { call, sandbox } = await start(t);
  for (const body of ["{}", "null", "false", '{"force":true}']) {
    t.equal(
      issueOf(await call("DELETE", `/v1/api_apps/${appId}`, body)),
      "body: this operation takes no body",
      body,
    );
  }
  t.same(sandbox.calls, []);
});

t.test("an app that is gone is 404 with Coze's own code and logid", async (t) => {
  const { call } = await start(t);
  const { status, body, headers } = await call("DELETE", `/v1/api_apps/${appId}`);
  t.equal(status, 404);
  t.equal(body.code, 4200);
  t.equal(body.gateway.error, "coze_not_found");
  t.equal(body.gateway.outcome, "refused");
  t.equal(body.detail.logid, headers.get("x-tt-logid"));
});
