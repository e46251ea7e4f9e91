import { createPrivateKey, type KeyObject } from "node:crypto";
import { WatchedFile, type WatchListeners } from "../../config/watched-file.ts";
import { Unprintable } from "../../secret.ts";

const leastBits = 2048;

/** The OAuth app's private key, which never prints. */
export class SigningKey extends Unprintable {
  readonly #key: KeyObject;
  /** Fingerprint of its public half, when the file names it. */
  readonly id: string | undefined;

  constructor(key: KeyObject, id: string | undefined) {
    super();
    this.#key = key;
    this.id = id;
  }

  /** The key itself; call it only where something is signed. */
  reveal(): KeyObject {
    return this.#key;
  }
}

/**
 * Reads a private key out of a PEM file's content. A line `kid: <fingerprint>` before the PEM, where readers of PEM
 * expect remarks, names the key, so that key and name change together, without a restart.
 * @throws Error that says what is wrong, never what the content is.
 */
export function parseSigningKey(content: Buffer): SigningKey {
  const key = privateKey(content);
  if (key.asymmetricKeyType !== "rsa") throw new Error("the private key must be an RSA key");
  const bits = Number(key.asymmetricKeyDetails?.modulusLength);
  if (!(bits >= leastBits))
    throw new Error(`the private key must have at least ${leastBits} bits, not ${bits}`);
  const [remarks = ""] = content.toString("latin1").split("-----BEGIN");
  return new SigningKey(key, /^kid:[ \t]*([\x21-\x7e]{1,256})[ \t]*\r?$/m.exec(remarks)?.[1]);
}

/** The key file under watch. The first look is done when the promise resolves, good or not. */
export function openKeyFile(
  path: string,
  listeners: WatchListeners<SigningKey> = {},
): Promise<WatchedFile<SigningKey>> {
  return WatchedFile.open({ path, parse: parseSigningKey, maxBytes: 64 * 1024, ...listeners });
}

function privateKey(content: Buffer): KeyObject {
  try {
    return createPrivateKey(content);
  } catch {
    // The reason is left out: it is OpenSSL's, and says nothing to a person.
    throw new Error("not an unencrypted private key in PEM form (PKCS#8 or PKCS#1)");
  }
}
