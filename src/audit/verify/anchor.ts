import { type Link, parseRecordId, recordId } from "../record.ts";

/** What the log says of a record, from when it was stored. */
export interface Anchor extends Link {
  /** The month of the record, by which retention removes it. */
  readonly segment: string;
}

const isHash = /^[0-9a-f]{64}$/;

/** Stands for a line that was to be an anchor, but cannot be read. */
export const unreadable = Symbol("unreadable");

/**
 * Reads a line of the gateway's log. What a log shipper put before the object is skipped, and an object that holds the
 * line as `log` or `message` is opened.
 * @returns undefined for every other line.
 */
export function readAnchor(line: string): Anchor | typeof unreadable | undefined {
  // Most lines of a mixed log end here, before the costly part. Quotes have backslashes where a line is in a line.
  if (!/event\\*"\s*:\s*\\*"audit\\*"/.test(line)) return undefined;
  const object = parseObject(line);
  if (!object) return unreadable;
  const { event, log, message } = object;
  if (event === "audit") return anchorOf(object) ?? unreadable;
  for (const wrapped of [log, message]) {
    const anchor = typeof wrapped === "string" ? readAnchor(wrapped) : undefined;
    if (anchor) return anchor;
  }
  return undefined;
}

function anchorOf({ stream, seq, hash, record }: Readonly<Record<string, unknown>>): Anchor | undefined {
  const { segment } = Object(record) as { readonly segment?: unknown };
  if (typeof stream !== "string" || typeof seq !== "number" || typeof segment !== "string") return undefined;
  const place = parseRecordId(recordId({ stream, seq }));
  return place && typeof hash === "string" && isHash.test(hash) ? { ...place, hash, segment } : undefined;
}

function parseObject(line: string): Readonly<Record<string, unknown>> | undefined {
  try {
    return JSON.parse(line.slice(line.indexOf("{")));
  } catch {
    return undefined;
  }
}
