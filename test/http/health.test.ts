import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import t from "tap";
import { startGateway, startSandbox, token } from "../helpers/gateway.ts";
import { start } from "./helper.ts";
import { until } from "./wire.ts";

t.test("alive and ready; neither needs a key nor is logged", async (t) => {
  const { url, requests, gateway } = await start(t);
  const livez = await fetch(`${url}/livez`);
  t.equal(livez.status, 200);
  t.same(await livez.json(), { status: "ok" });
  const readyz = await fetch(`${url}/readyz`);
  t.equal(readyz.status, 200);
  t.same(await readyz.json(), { status: "ok", checks: { token: true, audit: true, not_draining: true } });
  t.same(requests(), [], "neither has a line of its own");
  gateway.drain();
  const draining = await fetch(`${url}/readyz`);
  t.equal(draining.status, 503);
  t.equal(draining.headers.get("connection"), "close", "callers are asked to go elsewhere");
  t.same(await draining.json(), {
    status: "not ready",
    checks: { token: true, audit: true, not_draining: false },
  });
  t.equal((await fetch(`${url}/livez`)).status, 200, "draining is not dying");
});

t.test("without a token it is alive but not ready, and becomes ready by itself", async (t) => {
  const coze = await startSandbox(t);
  const { folder, url, call } = await startGateway(t, coze.url, { COZE_TOKEN_FILE: `${coze.url}/none` });
  t.ok(folder);
  t.equal((await fetch(`${url}/livez`)).status, 200);
  t.equal((await fetch(`${url}/readyz`)).status, 503);
  const { status, body, headers } = await call("GET", "/v1/api_apps");
  t.equal(status, 503);
  t.equal(body.gateway.error, "token_unavailable");
  t.equal(headers.get("retry-after"), "5");
});

t.test("a token file that comes late is taken", async (t) => {
  const coze = await startSandbox(t);
  const path = join(t.testdir({}), "late");
  const { url, call } = await startGateway(t, coze.url, { COZE_TOKEN_FILE: path });
  t.equal((await fetch(`${url}/readyz`)).status, 503);
  await writeFile(path, token);
  let ready = false;
  await until(() => {
    void fetch(`${url}/readyz`, { headers: { connection: "close" } }).then((reply) => {
      ready ||= reply.status === 200;
    });
    return ready;
  });
  t.equal((await call("GET", "/v1/api_apps")).status, 200);
});
