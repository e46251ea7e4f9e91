import { randomBytes } from "node:crypto";
import { SignJWT } from "jose";
import type { SigningKey } from "./oauth-key.ts";
import type { OAuthSettings } from "./source.ts";

/** Coze's documents use this; the SDKs differ (FACTS d). */
const validSeconds = 600;

/**
 * The JWT that proves to Coze who asks. Coze takes each one once, so each mint signs a new one.
 * @param now ms since the epoch, by Coze's clock.
 */
export function signAssertion(
  { origin, appId, keyId }: Pick<OAuthSettings, "origin" | "appId" | "keyId">,
  key: SigningKey,
  now: number,
): Promise<string> {
  const issuedAt = Math.floor(now / 1000);
  return new SignJWT()
    .setProtectedHeader({ alg: "RS256", typ: "JWT", kid: key.id ?? keyId })
    .setIssuer(appId)
    .setAudience(new URL(origin).host)
    .setIssuedAt(issuedAt)
    .setExpirationTime(issuedAt + validSeconds)
    .setJti(randomBytes(32).toString("base64url"))
    .sign(key.reveal());
}
