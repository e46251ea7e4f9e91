import t from "tap";
import { type TokenConfig, tokenContradictions, tokenVariables } from "../../src/config/token-variables.ts";

const problemsOf = (environment: Partial<Record<keyof TokenConfig, string>>) =>
  tokenContradictions(tokenVariables.parse(environment));
const oauth = {
  COZE_OAUTH_APP_ID: "11",
  COZE_OAUTH_KEY_ID: "key",
  COZE_OAUTH_PRIVATE_KEY_FILE: "/key.pem",
};
const token = { COZE_TOKEN: "sat_0123456789" };
const file = { COZE_TOKEN_FILE: "/token" };
const needed = "missing; OAuth needs the app's id, its key's id and the key file";

t.test("exactly one source", async (t) => {
  for (const one of [token, file, oauth]) t.strictSame(problemsOf(one), []);
  t.match(problemsOf({}), [/^COZE_TOKEN_FILE: missing; name the file .* or COZE_OAUTH_APP_ID/]);
  t.strictSame(problemsOf({ ...token, ...file }), ["COZE_TOKEN, COZE_TOKEN_FILE: set one of them, not both"]);
  t.strictSame(problemsOf({ ...token, ...oauth }), [
    "COZE_TOKEN, COZE_OAUTH_APP_ID: set one of them, not both",
  ]);
  t.strictSame(problemsOf({ ...file, ...oauth }), [
    "COZE_TOKEN_FILE, COZE_OAUTH_APP_ID: set one of them, not both",
  ]);
});

t.test("half of OAuth: what is missing is named, whichever half it is", async (t) => {
  const { COZE_OAUTH_APP_ID: _, ...anonymous } = oauth;
  t.strictSame(problemsOf(anonymous), [`COZE_OAUTH_APP_ID: ${needed}`]);
  t.strictSame(problemsOf({ COZE_OAUTH_APP_ID: "11" }), [
    `COZE_OAUTH_KEY_ID: ${needed}`,
    `COZE_OAUTH_PRIVATE_KEY_FILE: ${needed}`,
  ]);
  t.strictSame(
    problemsOf({ COZE_OAUTH_ACCOUNT_ID: "1" }),
    Object.keys(oauth).map((name) => `${name}: ${needed}`),
  );
  t.match(problemsOf({ ...token, COZE_OAUTH_KEY_ID: "key" }), [
    "COZE_TOKEN, COZE_OAUTH_KEY_ID: set one of them, not both",
    /^COZE_OAUTH_APP_ID: missing/,
    /^COZE_OAUTH_PRIVATE_KEY_FILE: missing/,
  ]);
});

t.test("for an account or for an enterprise", async (t) => {
  for (const one of [{ COZE_OAUTH_ACCOUNT_ID: "1" }, { COZE_OAUTH_ENTERPRISE_ID: "volcano_2" }])
    t.strictSame(problemsOf({ ...oauth, ...one }), []);
  t.strictSame(problemsOf({ ...oauth, COZE_OAUTH_ACCOUNT_ID: "1", COZE_OAUTH_ENTERPRISE_ID: "2" }), [
    "COZE_OAUTH_ACCOUNT_ID, COZE_OAUTH_ENTERPRISE_ID: set one of them, not both",
  ]);
});
