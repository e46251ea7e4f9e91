import t from "tap";
import { loadTokenConfig } from "../../../src/config/config.ts";
import { describeSource, tokenSourceOf } from "../../../src/coze/token/source.ts";

const oauth = {
  COZE_OAUTH_APP_ID: "11",
  COZE_OAUTH_KEY_ID: "key",
  COZE_OAUTH_PRIVATE_KEY_FILE: "/key.pem",
};
const sourceIn = (environment: NodeJS.ProcessEnv) => tokenSourceOf(loadTokenConfig(environment));

t.test("the one source that the configuration names", async (t) => {
  const value = sourceIn({ COZE_TOKEN: "sat_12345" });
  t.equal("value" in value && value.value.reveal(), "sat_12345");
  t.strictSame(sourceIn({ COZE_TOKEN_FILE: "/token" }), { file: "/token" });
  const plain = {
    origin: "https://api.coze.cn",
    appId: "11",
    keyId: "key",
    keyFile: "/key.pem",
    accountId: undefined,
    enterpriseId: undefined,
    durationSeconds: 3600,
    timeoutMs: 4000,
  };
  t.strictSame(sourceIn(oauth), { oauth: plain });
  const more = { COZE_BASE_URL: "https://x.example", COZE_OAUTH_DURATION_SECONDS: "900" };
  t.strictSame(sourceIn({ ...oauth, ...more, COZE_OAUTH_ACCOUNT_ID: "a", ATTEMPT_TIMEOUT_MS: "500" }), {
    oauth: { ...plain, origin: "https://x.example", durationSeconds: 900, accountId: "a", timeoutMs: 500 },
  });
  t.match(sourceIn({ ...oauth, COZE_OAUTH_ENTERPRISE_ID: "e" }), { oauth: { enterpriseId: "e" } });
});

t.test("half a configuration still names a source, which then has nothing to give", async (t) => {
  const config = loadTokenConfig({ COZE_TOKEN_FILE: "/token" });
  t.strictSame(tokenSourceOf({ ...config, COZE_TOKEN_FILE: undefined }), { file: "" });
  t.match(tokenSourceOf({ ...config, COZE_OAUTH_APP_ID: "11" }), { oauth: { keyId: "", keyFile: "" } });
});

t.test("a source in words shows no secret", async (t) => {
  t.equal(describeSource(sourceIn({ COZE_TOKEN: "sat_12345" })), "variable COZE_TOKEN");
  t.equal(describeSource(sourceIn({ COZE_TOKEN_FILE: "/token" })), "file /token");
  t.equal(describeSource(sourceIn(oauth)), "OAuth app 11");
});
