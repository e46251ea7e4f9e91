import t from "tap";
import { exchange, startSandbox } from "./helper.ts";

t.test("a call is recorded as it was sent", async (t) => {
  const { port, calls } = await startSandbox(t);
  const { text } = await exchange(
    port,
    "DELETE /v1/api_apps/75/events?a=%2B+b HTTP/1.1\r\nHOST: x\r\nauthorization: Bearer no\r\nX-A: 1\r\nx-a: 2\r\n" +
      "content-type: text/odd\r\nContent-Length: 9\r\nConnection: close\r\n\r\n {é}  \n\t",
  );
  const logid = /^x-tt-logid: (\S+)/im.exec(text)?.[1];
  t.same(calls, [
    {
      method: "DELETE",
      url: "/v1/api_apps/75/events?a=%2B+b",
      headers: [
        ["HOST", "x"],
        ["authorization", "Bearer no"],
        ["X-A", "1"],
        ["x-a", "2"],
        ["content-type", "text/odd"],
        ["Content-Length", "9"],
        ["Connection", "close"],
      ],
      body: " {é}  \n\t",
      logid,
    },
  ]);
});

t.test("a call without a body is recorded with an empty one, an unknown path too", async (t) => {
  const { call, calls } = await startSandbox(t);
  await call("GET", "/v1/unknown?x=1");
  t.match(calls, [{ method: "GET", url: "/v1/unknown?x=1", body: "" }]);
});

t.test("the oldest calls go first", async (t) => {
  const { call, calls } = await startSandbox(t, { maxRecordedCalls: 2 });
  for (const path of ["/1", "/2", "/3"]) await call("GET", path);
  t.same(
    calls.map(({ url }) => url),
    ["/2", "/3"],
  );
});
