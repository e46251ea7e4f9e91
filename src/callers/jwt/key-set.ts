import { createPublicKey, type JsonWebKey } from "node:crypto";
import { type CryptoKey, createLocalJWKSet } from "jose";
import * as z from "zod";

/** Larger sets are refused, in bytes. */
export const maxKeySetBytes = 256 * 1024;

const mostKeys = 100;

const jwk = z.looseObject({ kty: z.string() });

const jwks = z.object({ keys: z.array(jwk).max(mostKeys, `more than ${mostKeys} keys`) });

/** Which key a token says it was signed with. */
export interface WantedKey {
  readonly algorithm: string;
  readonly keyId: string | undefined;
}

/** Where an issuer's public keys come from. */
export interface KeySource {
  /**
   * @throws {JwtRefused} unknown_key
   * @throws {JwtUnavailable} while there are no keys, or newer ones are needed and cannot be had.
   */
  find(wanted: WantedKey): Promise<CryptoKey>;
  close(): Promise<void>;
}

/** The public keys of one issuer at one time. */
export class KeySet {
  readonly #find: ReturnType<typeof createLocalJWKSet>;

  constructor(keys: readonly z.output<typeof jwk>[]) {
    this.#find = createLocalJWKSet({ keys: [...keys] });
  }

  /** Undefined as well when a token names no key and there are several: guessing would be work for a stranger. */
  async find({ algorithm, keyId }: WantedKey): Promise<CryptoKey | undefined> {
    const header = { alg: algorithm, ...(keyId !== undefined && { kid: keyId }) };
    return this.#find(header).catch(() => undefined);
  }
}

/**
 * Reads a JWK Set. Keys of kinds that are not known here are left out, as issuers may add some.
 * @throws Error that never quotes the content.
 */
export function parseKeySet(content: Buffer): KeySet {
  const parsed = jwks.safeParse(parseJson(content));
  if (!parsed.success) throw new Error("not a JWK Set");
  const { keys } = parsed.data;
  if (keys.some((key) => "d" in key || "k" in key || key.kty === "oct"))
    throw new Error("the JWK Set holds a private or symmetric key, which has no place there");
  const usable = keys.filter(isUsable);
  if (usable.length === 0) throw new Error("the JWK Set holds no usable public key");
  return new KeySet(usable);
}

function parseJson(content: Buffer): unknown {
  try {
    return JSON.parse(content.toString());
  } catch {
    return undefined;
  }
}

function isUsable(key: JsonWebKey): boolean {
  try {
    const { asymmetricKeyDetails } = createPublicKey({ key, format: "jwk" });
    // Shorter RSA keys can be broken; curves have no modulus.
    return (asymmetricKeyDetails?.modulusLength ?? 2048) >= 2048;
  } catch {
    return false;
  }
}
