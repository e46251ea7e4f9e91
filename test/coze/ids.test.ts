import fc from "fast-check";
import t from "tap";
import { Client } from "undici";
import { startGateway } from "../helpers/gateway.ts";
import { startMisbehavingServer, success } from "../helpers/misbehaving-server.ts";

t.test("28: an id that is not an id is 400 and never reaches Coze", async (t) => {
  const coze = await startMisbehavingServer(t, success);
  const gateway = await startGateway(t, coze.url);
  const headers = { authorization: `Bearer ${gateway.key}`, "content-type": "application/json" };
  const client = new Client(gateway.url);
  t.teardown(() => client.close());
  const requests = [
    ["DELETE", "", undefined],
    ["PUT", "", JSON.stringify({ name: "x" })],
    ["GET", "/events", undefined],
    ["POST", "/events", JSON.stringify({ event_types: ["bot.published"] })],
    ["DELETE", "/events", JSON.stringify({ event_types: ["bot.published"] })],
  ] as const;
  const wrong = fc
    .string({ unit: "binary", minLength: 1, maxLength: 80 })
    .filter((id) => !/^[A-Za-z0-9_-]{1,64}$/.test(id));
  await fc.assert(
    fc.asyncProperty(wrong, fc.constantFrom(...requests), async (id, [method, rest, body]) => {
      const path = `/v1/api_apps/${encodeURIComponent(id)}${rest}`;
      const { statusCode, body: reply } = await client.request({ method, path, headers, body: body ?? null });
      await reply.dump();
      return statusCode === 400 && coze.requests.length === 0;
    }),
    {
      numRuns: 300,
      examples: [
        "%2e%2e",
        "a/b",
        "a%2Fb",
        ";",
        "\u0000",
        "١٢٣",
        "x".repeat(65),
        "a\n",
        " ",
        "a b",
        "a?b",
        "a#b",
      ].map((id): [string, (typeof requests)[number]] => [id, requests[0]]),
    },
  );
  t.equal(coze.connections(), 0);
  const fine = await gateway.call("DELETE", `/v1/api_apps/${"x_-9".repeat(16)}`);
  t.equal(fine.status, 200);
  t.equal(coze.requests[0]?.target, `/v1/api_apps/${"x_-9".repeat(16)}`);
});
