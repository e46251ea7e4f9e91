import { generateKeyPairSync } from "node:crypto";
import type { RegisteredKey } from "../../../src/sandbox/oauth.ts";

export const appId = "1198700000001";
export const keyId = "fingerprint-A";

/** A key pair of an OAuth app; the public half as it is registered at Coze. */
export function keyPair(bits = 2048) {
  const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: bits });
  const registered: RegisteredKey = {
    appId,
    publicKey: publicKey.export({ type: "spki", format: "pem" }).toString(),
  };
  return {
    privateKey,
    pem: privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
    registered,
  };
}
