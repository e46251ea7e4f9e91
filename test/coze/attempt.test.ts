import t from "tap";
import { startGateway, startSandbox, token } from "../helpers/gateway.ts";

const escaped = [...token].map((char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`).join("");

t.test("a success that shows the token, even escaped, is withheld, counted and logged", async (t) => {
  const coze = await startSandbox(t);
  const gateway = await startGateway(t, coze.url, { MAX_ATTEMPTS: "1" });
  const bodies = [token, Buffer.from(token).toString("base64"), escaped].map(
    (form) => `{"code":0,"msg":"","data":{"items":[{"name":"${form}"}],"has_more":false}}`,
  );
  coze.sandbox.faults.add(...bodies.map((body) => ({ times: 1, body, content_type: "application/json" })));
  for (const body of bodies) {
    const reply = await gateway.call("GET", "/v1/api_apps");
    t.match(reply.body.gateway, { error: "coze_malformed" }, body);
    t.notMatch(reply.text, "has_more");
  }
  const { body: metrics } = await gateway.gateway.admin.inject("/metrics");
  t.match(metrics, "\ncoze_gateway_secret_tripwire_total 3\n");
  t.equal(gateway.lines().filter(({ event, level }) => event === "leak" && level === "error").length, 3);
});

t.test("a token with slashes is found behind JSON's escaped slashes", async (t) => {
  const slashed = "sat/abc/defghijkl/mnopqrst";
  const coze = await startSandbox(t, new Map([[slashed, "all" as const]]));
  const gateway = await startGateway(t, coze.url, {
    COZE_TOKEN: slashed,
    COZE_TOKEN_FILE: "",
    MAX_ATTEMPTS: "1",
  });
  const body = `{"code":0,"msg":"${slashed.replaceAll("/", "\\/")}"}`;
  coze.sandbox.faults.add({ times: 1, body, content_type: "application/json" });
  t.match((await gateway.call("GET", "/v1/api_apps")).body.gateway, { error: "coze_malformed" });
});

t.test("a harmless escape passes as it came", async (t) => {
  const coze = await startSandbox(t);
  const gateway = await startGateway(t, coze.url);
  const body = '{"code":0,"msg":"\\u4f60\\u597d"}';
  coze.sandbox.faults.add({ times: 1, body, content_type: "application/json" });
  t.equal((await gateway.call("GET", "/v1/api_apps")).text, body);
});

t.test("codes that the table does not know are counted, known ones are not", async (t) => {
  const coze = await startSandbox(t);
  const gateway = await startGateway(t, coze.url);
  for (const code of [987654321, 4000, 0]) {
    coze.sandbox.faults.add({ times: 1, status: 200, code });
    await gateway.call("GET", "/v1/api_apps");
  }
  const { body: metrics } = await gateway.gateway.admin.inject("/metrics");
  t.match(metrics, "\ncoze_gateway_upstream_unknown_codes_total 1\n");
});
