import { isUtf8 } from "node:buffer";

/** What the gateway reads of a reply of Coze; the rest passes through as bytes (FACTS a). */
export interface Envelope {
  /** 0 is success, and only the number 0. */
  readonly code: number;
  readonly msg: string;
  readonly logid: string | undefined;
}

const logidPattern = /^[A-Za-z0-9_-]{1,128}$/;

/** The text when it can be a logid and can stand in a header and a log line; Coze's own have about 34 characters. */
export function asLogid(value: unknown): string | undefined {
  return typeof value === "string" && logidPattern.test(value) ? value : undefined;
}

/**
 * Reads Coze's envelope; undefined when the bytes are not one. A failure's code may come as a string of digits
 * (FACTS a), but success must be the number 0: anything doubtful is never taken for success.
 */
export function parseEnvelope(body: Buffer): Envelope | undefined {
  const value = parseObject(body);
  if (!value) return undefined;
  const code = asCode(value["code"]);
  if (code === undefined) return undefined;
  const msg = value["msg"];
  return {
    code,
    msg: typeof msg === "string" ? msg : "",
    logid: logidOf(value["detail"]) ?? logidOf(value["error"]),
  };
}

/** The JSON object that the bytes are; undefined when they are not UTF-8, not JSON or something else. */
export function parseObject(body: Buffer): Record<string, unknown> | undefined {
  if (!isUtf8(body)) return undefined;
  try {
    const value: unknown = JSON.parse(body.toString());
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function asCode(value: unknown): number | undefined {
  if (typeof value === "string" && /^[1-9]\d{0,14}$/.test(value)) return Number(value);
  return Number.isSafeInteger(value) ? Number(value) : undefined;
}

function logidOf(value: unknown): string | undefined {
  return isObject(value) ? asLogid(value["logid"]) : undefined;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
