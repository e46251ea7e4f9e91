import type * as z from "zod";
import { variables } from "./variables.ts";

/** The variables that say where the Coze token comes from, and where a gateway that knows more can be asked. */
export const tokenVariables = variables.pick({
  HOST: true,
  ADMIN_PORT: true,
  COZE_BASE_URL: true,
  COZE_ALLOW_HTTP: true,
  COZE_TOKEN_FILE: true,
  COZE_TOKEN: true,
  COZE_OAUTH_APP_ID: true,
  COZE_OAUTH_KEY_ID: true,
  COZE_OAUTH_PRIVATE_KEY_FILE: true,
  COZE_OAUTH_ACCOUNT_ID: true,
  COZE_OAUTH_ENTERPRISE_ID: true,
  COZE_OAUTH_DURATION_SECONDS: true,
  ATTEMPT_TIMEOUT_MS: true,
});

/** The part of a configuration that concerns the Coze token. */
export type TokenConfig = Readonly<z.output<typeof tokenVariables>>;

const oauthNeeds = ["COZE_OAUTH_APP_ID", "COZE_OAUTH_KEY_ID", "COZE_OAUTH_PRIVATE_KEY_FILE"] as const;
const oauthMayHave = ["COZE_OAUTH_ACCOUNT_ID", "COZE_OAUTH_ENTERPRISE_ID"] as const;

/** What is wrong with the sources of the token taken together: there must be exactly one, and whole. */
export function tokenContradictions(config: TokenConfig): string[] {
  const problems: string[] = [];
  const oauth = [...oauthNeeds, ...oauthMayHave].filter((name) => config[name] !== undefined);
  const others = (["COZE_TOKEN", "COZE_TOKEN_FILE"] as const).filter((name) => config[name] !== undefined);
  const sources = [...others, ...oauth.slice(0, 1)];
  if (sources.length > 1) problems.push(`${sources.join(", ")}: set one of them, not both`);
  if (sources.length === 0) {
    problems.push(
      "COZE_TOKEN_FILE: missing; name the file that holds the Coze token (or COZE_TOKEN in development, or " +
        "COZE_OAUTH_APP_ID and what belongs to it)",
    );
  }
  if (oauth.length > 0) {
    const missing = oauthNeeds.filter((name) => config[name] === undefined);
    problems.push(
      ...missing.map((name) => `${name}: missing; OAuth needs the app's id, its key's id and the key file`),
    );
  }
  if (oauthMayHave.every((name) => config[name] !== undefined))
    problems.push(`${oauthMayHave.join(", ")}: set one of them, not both`);
  return problems;
}
