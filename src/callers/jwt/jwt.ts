import { type JsonObject, parseJsonObject } from "./json-object.ts";
import { JwtRefused } from "./refused.ts";

/** Longer tokens are refused unread. Those of Kubernetes have about 1,200 characters. */
const maxLength = 8192;

/** Three non-empty parts; the classes and the dots exclude each other, so the time is linear. */
const form = /^([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)$/;

/** What a token says of itself: nothing of it is proved yet. */
export interface Jwt {
  readonly token: string;
  readonly algorithm: string;
  readonly keyId: string | undefined;
  readonly issuer: string;
  readonly claims: JsonObject;
}

/** True for three non-empty parts of base64url: a credential that is to be checked as a JWT and not as a key. */
export function looksLikeJwt(credential: string): boolean {
  return form.test(credential);
}

/**
 * Takes a token apart and refuses what no honest issuer makes, before anything is spent on it.
 * @throws {JwtRefused}
 */
export function readJwt(token: string): Jwt {
  if (token.length > maxLength) throw new JwtRefused("too_long");
  const parts = form.exec(token)?.slice(1).map(decode);
  const [header, claims] = parts?.slice(0, 2).map(parseJsonObject) ?? [];
  if (!header || !claims) throw new JwtRefused("malformed");
  const { alg, kid, cty } = header;
  if (typeof alg !== "string" || !(kid === undefined || typeof kid === "string"))
    throw new JwtRefused("malformed");
  // A JWT around a JWT: who signed the outer one says nothing of the claims of the inner one.
  if (typeof cty === "string" && /^(application\/)?jwt$/i.test(cty)) throw new JwtRefused("nested");
  // It lists header fields that must be understood, and none is here (RFC 7515, 4.1.11).
  if (Object.hasOwn(header, "crit")) throw new JwtRefused("critical_header");
  const { iss } = claims;
  if (typeof iss !== "string") throw new JwtRefused("unknown_issuer");
  return { token, algorithm: alg, keyId: kid, issuer: iss, claims };
}

/** Bits that no byte needs must be zero, so that there is one way only to write a token. */
function decode(part: string): Buffer {
  const bytes = Buffer.from(part, "base64url");
  if (bytes.toString("base64url") !== part) throw new JwtRefused("malformed");
  return bytes;
}
