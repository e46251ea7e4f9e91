import { accessTokenInvalid, permissionMissing } from "./reply.ts";

/** The tokens that the local Coze knows and the permissions that each holds; `all` is every permission. */
export type Tokens = ReadonlyMap<string, ReadonlySet<string> | "all">;

/** Refuses a call whose `Authorization` is no known bearer token, or one without the permission (FACTS (b), (d)). */
export function authorize(
  tokens: Pick<Tokens, "get">,
  authorization: string | undefined,
  permission: string,
): void {
  const token = /^Bearer (\S+)$/.exec(authorization ?? "")?.[1];
  const held = token === undefined ? undefined : tokens.get(token);
  if (held === undefined) throw accessTokenInvalid();
  if (held !== "all" && !held.has(permission)) throw permissionMissing();
}
