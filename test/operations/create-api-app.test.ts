import t from "tap";
import { issueOf, start } from "./helper.ts";

const unknownField = "is not a field of this operation";

const refused: readonly [body: unknown, issue: string][] = [
  [{}, "body.app_type: is required"],
  [{ app_type: "normal" }, "body.name: is required"],
  [{ app_type: "normal", name: "" }, "body.name: must not be empty"],
  [{ app_type: "normal", name: "a".repeat(129) }, "body.name: must have at most 128 characters"],
  [{ app_type: "normal", name: "😀".repeat(129) }, "body.name: must have at most 128 characters"],
  [{ app_type: "normal", name: 7 }, "body.name: must be of type string"],
  [{ app_type: "normal", name: null }, "body.name: must be of type string"],
  [{ app_type: "connector" }, "body.connector_id: is required"],
  [{ app_type: "connector", name: "a" }, "body.connector_id: is required"],
  [{ app_type: "connector", connector_id: 1056899001 }, "body.connector_id: must be of type string"],
  [
    { app_type: "connector", connector_id: "a/b" },
    "body.connector_id: must match ^[A-Za-z0-9_-]{1,64}$ (Id of the publishing channel. Required for `connector`.)",
  ],
  [{ app_type: "other", name: "a" }, "body.app_type: must be one of: normal, connector"],
  [{ app_type: "normal", name: "a", nmae: "b" }, `body.nmae: ${unknownField}`],
  [
    { app_type: "normal", name: "a", callback_url: "https://a.example" },
    `body.callback_url: ${unknownField}`,
  ],
  [[], "body: must be a JSON object"],
  ['"text"', "body: must be a JSON object"],
  ["null", "body: must be a JSON object"],
  ["1", "body: must be a JSON object"],
  [undefined, "body: must be a JSON object"],
];

t.test("what is refused, with the field named", async (t) => {
  const { call, sandbox } = await start(t);
  for (const [body, issue] of refused) {
    t.equal(issueOf(await call("POST", "/v1/api_apps", body)), issue, JSON.stringify(body));
  }
  t.same(sandbox.calls, []);
});

t.test("what is accepted and arrives as it was", async (t) => {
  const { call, sandbox } = await start(t);
  const bodies = [
    { app_type: "normal", name: "😀".repeat(128) },
    { app_type: "normal", name: "a\u2028\u0000\"'<>&" },
    { app_type: "connector", connector_id: "1056899001" },
    { app_type: "connector", connector_id: "cli_7", name: "ignored by Coze" },
    { app_type: "normal", name: "one", connector_id: "1" },
  ];
  for (const body of bodies) {
    sandbox.faults.add({ body: '{"code":0}' });
    t.equal((await call("POST", "/v1/api_apps", body)).status, 200);
    t.same(JSON.parse(sandbox.calls.at(-1)?.body ?? ""), body);
  }
});

t.test("it creates, and gives the verify token and a 19-digit id exactly", async (t) => {
  const { call, sandbox } = await start(t);
  const { status, body } = await call("POST", "/v1/api_apps", { app_type: "normal", name: "one" });
  t.equal(status, 200);
  const [app] = sandbox.state.apps.values();
  t.equal(body.data.id, app?.id);
  t.match(body.data.id, /^\d{19}$/);
  t.equal(body.data.verify_token, app?.verifyToken);
});
