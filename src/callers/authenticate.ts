import { timingSafeEqual } from "node:crypto";
import { GatewayError } from "../errors.ts";
import type { Issuers } from "./jwt/issuers.ts";
import { looksLikeJwt } from "./jwt/jwt.ts";
import { type JwtRefusal, JwtRefused } from "./jwt/refused.ts";
import { callerOfKey, hashKey, subjectCredentialId } from "./key.ts";
import type { Credential, KeyCredential, Policy } from "./policy.ts";

/** Longer credentials are refused unread, so that hashing them cannot be a burden. */
const maxCredentialLength = 8192;

const nobody: KeyCredential = {
  caller: { id: "nobody", keys: [], identities: [], grants: [], rate_limits: {}, weight: 1 },
  kind: "key",
  id: "",
  hash: Buffer.alloc(32),
  expiresAt: Number.NEGATIVE_INFINITY,
};

/** Why a credential was refused: for the log and the metric, not for the caller, who could probe with it. */
export type Refusal =
  | "missing"
  | "repeated"
  | "malformed"
  | "unknown"
  | "expired"
  | "jwt_no_caller"
  | `jwt_${JwtRefusal}`;

/** A 401 that remembers why, and whose key it was where that is proved. */
export class AuthenticationError extends GatewayError {
  readonly refusal: Refusal;
  readonly callerId: string | undefined;

  constructor(refusal: Refusal, details: { readonly message?: string; readonly callerId?: string } = {}) {
    super("unauthenticated", details.message === undefined ? {} : { message: details.message });
    this.refusal = refusal;
    this.callerId = details.callerId;
  }
}

/**
 * Tells who calls (RFC 6750): by a caller key, at once, or by a JWT of a configured issuer.
 * @param headers all values of the Authorization header.
 * @param now ms since the epoch, for the expiry of keys.
 * @throws {AuthenticationError}
 * @throws {GatewayError} authentication_unavailable when a JWT cannot be checked now.
 */
export function authenticate(
  headers: readonly string[],
  policy: Policy,
  issuers: Pick<Issuers, "verify">,
  now: number,
): Credential | Promise<Credential> {
  const credential = credentialIn(headers);
  return looksLikeJwt(credential) ? ofJwt(credential, policy, issuers) : ofKey(credential, policy, now);
}

function credentialIn(headers: readonly string[]): string {
  const [header] = headers;
  if (header === undefined) throw new AuthenticationError("missing");
  if (headers.length > 1)
    throw new AuthenticationError("repeated", { message: "Send one Authorization header, not several." });
  if (header.length > maxCredentialLength) throw new AuthenticationError("malformed");
  const credential = /^bearer +(\S+) *$/i.exec(header)?.[1];
  if (credential === undefined) throw new AuthenticationError("malformed");
  return credential;
}

/**
 * The work is the same whether the caller exists or not: one hash, one look-up by it, one constant-time comparison;
 * and every refusal of a well-formed key reads alike.
 */
function ofKey(key: string, policy: Policy, now: number): Credential {
  const hash = hashKey(key);
  const credential = policy.credentials.get(hash) ?? nobody;
  const known = timingSafeEqual(Buffer.from(hash, "hex"), credential.hash);
  if (!known || callerOfKey(key) !== credential.caller.id) throw new AuthenticationError("unknown");
  if (credential.expiresAt <= now)
    throw new AuthenticationError("expired", { callerId: credential.caller.id });
  return credential;
}

async function ofJwt(jwt: string, policy: Policy, issuers: Pick<Issuers, "verify">): Promise<Credential> {
  const { issuer, subject, expiresAt } = await issuers.verify(jwt).catch((error: unknown) => {
    if (error instanceof JwtRefused) throw new AuthenticationError(`jwt_${error.reason}`);
    throw error;
  });
  const caller = policy.callerOf(issuer, subject);
  if (!caller) throw new AuthenticationError("jwt_no_caller");
  return { caller, kind: "jwt", id: subjectCredentialId(issuer, subject), subject, expiresAt };
}
