import { createHash } from "node:crypto";
import { GatewayError } from "../../errors.ts";

/**
 * Makes the token of the page that goes on from a position. It is bound to `scope`, the order and filters of the list,
 * so that it cannot silently go on in another one. It is no secret: it opens nothing that its list does not.
 */
export function pageToken(position: number, scope: string): string {
  return Buffer.from(`${position}.${digestOf(scope)}`).toString("base64url");
}

/**
 * Reads a token of `pageToken`.
 * @throws {GatewayError} invalid_request, when it is none or belongs to another list.
 */
export function positionOf(token: string, scope: string): number {
  const [, digits = "", digest] =
    /^(0|[1-9]\d{0,14})\.([\w-]{22})$/.exec(Buffer.from(token, "base64url").toString("latin1")) ?? [];
  const position = Number(digits);
  if (digest === undefined) throw refusal("is not a next_page_token of this list");
  if (pageToken(position, scope) !== token) {
    throw refusal("belongs to a list with other filters or in another order");
  }
  return position;
}

function digestOf(scope: string): string {
  return createHash("sha256").update(scope).digest("base64url").slice(0, 22);
}

function refusal(message: string): GatewayError {
  return new GatewayError("invalid_request", { issues: [{ path: "query.page_token", message }] });
}
