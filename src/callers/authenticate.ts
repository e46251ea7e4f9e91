import { timingSafeEqual } from "node:crypto";
import { GatewayError } from "../errors.ts";
import { callerOfKey, hashKey } from "./key.ts";
import type { Credential, Policy } from "./policy.ts";

/** Longer credentials are refused unread, so that hashing them cannot be a burden. */
const maxCredentialLength = 8192;

const nobody: Credential = {
  caller: { id: "nobody", keys: [], grants: [] },
  hash: Buffer.alloc(32),
  expiresAt: Number.NEGATIVE_INFINITY,
};

/** Why a credential was refused: for the log and the metric, not for the caller, who could probe with it. */
export type Refusal = "missing" | "repeated" | "malformed" | "unknown" | "expired";

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
 * Tells who calls (RFC 6750). The work is the same whether the caller exists or not: one hash, one look-up by it,
 * one constant-time comparison; and every refusal of a well-formed key reads alike.
 * @param headers all values of the Authorization header.
 * @param now ms since the epoch, for the expiry.
 * @throws {AuthenticationError}
 */
export function authenticate(headers: readonly string[], policy: Policy, now: number): Credential {
  const [header] = headers;
  if (header === undefined) throw new AuthenticationError("missing");
  if (headers.length > 1)
    throw new AuthenticationError("repeated", { message: "Send one Authorization header, not several." });
  if (header.length > maxCredentialLength) throw new AuthenticationError("malformed");
  const key = /^bearer +(\S+) *$/i.exec(header)?.[1];
  if (key === undefined) throw new AuthenticationError("malformed");
  const hash = hashKey(key);
  const credential = policy.credentials.get(hash) ?? nobody;
  const known = timingSafeEqual(Buffer.from(hash, "hex"), credential.hash);
  if (!known || callerOfKey(key) !== credential.caller.id) throw new AuthenticationError("unknown");
  if (credential.expiresAt <= now)
    throw new AuthenticationError("expired", { callerId: credential.caller.id });
  return credential;
}
