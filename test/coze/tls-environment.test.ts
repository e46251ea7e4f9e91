import { readFileSync } from "node:fs";
import t from "tap";
import { startGateway } from "../helpers/gateway.ts";
import { startMisbehavingServer, success } from "../helpers/misbehaving-server.ts";
import { callBy } from "./helper.ts";

const pem = (name: string) => readFileSync(new URL(`fixtures/${name}`, import.meta.url));

t.test("NODE_TLS_REJECT_UNAUTHORIZED=0 does not hand the token to anybody", async (t) => {
  const before = process.env["NODE_TLS_REJECT_UNAUTHORIZED"];
  process.env["NODE_TLS_REJECT_UNAUTHORIZED"] = "0";
  t.teardown(() => {
    if (before === undefined) delete process.env["NODE_TLS_REJECT_UNAUTHORIZED"];
    else process.env["NODE_TLS_REJECT_UNAUTHORIZED"] = before;
  });
  const coze = await startMisbehavingServer(t, success, {
    tls: { key: pem("server.key"), cert: pem("self-signed.pem") },
  });
  const gateway = await startGateway(t, coze.url);
  t.match(await callBy(gateway, "GET"), { status: 503, body: { gateway: { error: "coze_unreachable" } } });
  t.equal(coze.requests.length, 0);
});
