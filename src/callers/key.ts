import { createHash, randomBytes } from "node:crypto";
import { crc32 } from "node:zlib";

/** Caller ids are lower-case, so that no two differ in spelling only. */
export const callerIdPattern = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

/**
 * Makes a new key: 28 random bytes and a CRC-32 over caller and random, so that a scanner, and the gateway before
 * any look-up, can tell a real key from a look-alike. The checksum is no secret and proves nothing.
 */
export function mintKey(callerId: string): string {
  const random = randomBytes(28);
  const checksum = Buffer.alloc(4);
  checksum.writeUInt32BE(crc32(random, crc32(callerId)));
  return `cgw_${callerId}_${Buffer.concat([random, checksum]).toString("base64url")}`;
}

/** What every key looks like, wherever it stands in a text: for secret scanners, published as it is here. */
export const keyPattern = /cgw_[a-z0-9-]{1,63}_[A-Za-z0-9_-]{43}/;

/** Hex SHA-256 of the whole key: the only form in which the callers file knows it. */
export function hashKey(key: string): string {
  return createHash("sha256").update(key).digest("hex");
}

/** The caller that a well-formed key names; undefined when form or checksum is wrong. */
export function callerOfKey(key: string): string | undefined {
  const match = /^cgw_([a-z0-9-]{1,63})_([A-Za-z0-9_-]{43})$/.exec(key);
  const [, callerId = "", secret = ""] = match ?? [];
  const bytes = Buffer.from(secret, "base64url");
  // The last character has two bits more than the bytes need; only one way of writing them is the key.
  if (!match || bytes.toString("base64url") !== secret) return undefined;
  return bytes.readUInt32BE(28) === crc32(bytes.subarray(0, 28), crc32(callerId)) ? callerId : undefined;
}

/** What stands for a key in log and audit trail: the first 16 hex digits of its hash. */
export function keyCredentialId(sha256: string): string {
  return sha256.slice(0, 16);
}

/** What stands for the subject of an issuer, as the callers file names it, in log and audit trail. */
export function subjectCredentialId(issuer: string, subject: string): string {
  return keyCredentialId(createHash("sha256").update(`${issuer}\n${subject}`).digest("hex"));
}
