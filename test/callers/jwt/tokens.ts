import { type CryptoKey, exportJWK, generateKeyPair, type JWK, SignJWT } from "jose";
import type { JwtRefusal } from "../../../src/callers/jwt/refused.ts";

/** A signing key of an issuer, and its public half as a JWK. */
export interface SigningKey {
  readonly kid: string;
  readonly alg: string;
  readonly privateKey: CryptoKey;
  readonly publicKey: CryptoKey;
  readonly jwk: JWK;
}

export const audience = "https://gateway.example";
export const issuer = "https://kubernetes.default.svc.cluster.local";
export const subject = "system:serviceaccount:billing:worker";

export async function newKey(kid: string, alg = "ES256"): Promise<SigningKey> {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
  const jwk = { ...(await exportJWK(publicKey)), kid, alg, use: "sig" };
  return { kid, alg, privateKey, publicKey, jwk };
}

export const nowSeconds = () => Math.floor(Date.now() / 1000);

/** The claims of a projected service account token; undefined leaves one out. */
export function claimsOf(changes: Record<string, unknown> = {}): Record<string, unknown> {
  const now = nowSeconds();
  const claims = {
    aud: [audience],
    exp: now + 600,
    iat: now,
    iss: issuer,
    jti: "6a1b1f7e-7a4f-4a4b-9a39-0d3f6f1d4a52",
    "kubernetes.io": { namespace: "billing", serviceaccount: { name: "worker", uid: "u-1" } },
    nbf: now,
    sub: subject,
    ...changes,
  };
  return Object.fromEntries(Object.entries(claims).filter(([, value]) => value !== undefined));
}

/** A token, signed. */
export function mint(
  key: SigningKey,
  claims: Record<string, unknown> = {},
  header: Record<string, unknown> = {},
): Promise<string> {
  return new SignJWT(claimsOf(claims))
    .setProtectedHeader({ alg: key.alg, kid: key.kid, ...header })
    .sign(key.privateKey);
}

/** Three parts of base64url, as they are given: texts that no honest library would put in a token. */
export function rawToken(header: unknown, claims: unknown, signature = "c2ln"): string {
  const part = (value: unknown) =>
    Buffer.from(typeof value === "string" ? value : JSON.stringify(value)).toString("base64url");
  return `${part(header)}.${part(claims)}.${signature}`;
}

/** What a refusal looks like. */
export const refused = (reason: JwtRefusal) => ({ name: "JwtRefused", reason });
