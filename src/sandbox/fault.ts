import { validateHeaderName, validateHeaderValue } from "node:http";
import { isObject } from "./input.ts";

/** One fault on demand: which calls it meets, how often, and what goes wrong. */
export interface Fault {
  /** Only calls with this method. */
  readonly method?: string;
  /** Only calls with this path; a segment that begins with `:` matches any. */
  readonly path?: string;
  readonly times?: number;
  /** Answers with this HTTP status; alone, with an empty body. */
  readonly status?: number;
  /** Answers with this code in an envelope. */
  readonly code?: number | string;
  readonly msg?: string;
  /** Headers to add to the reply, or to put in place of its own. */
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
  /** Answers with this text as it is. */
  readonly body?: string;
  readonly content_type?: string;
  /** Answers with a CDN's HTML page, without a logid. */
  readonly html?: boolean;
  /** Writes these characters (Latin-1) to the socket in place of a whole HTTP reply and ends the connection. */
  readonly raw?: string;
  /** Performs the operation, then answers as above all the same. */
  readonly after_effect?: boolean;
  /** Resets the connection before or after the operation took effect. */
  readonly reset?: "before_effect" | "after_effect";
  /** Waits before answering. */
  readonly delay_ms?: number;
  /** Promises the whole reply, sends so many bytes of its body, then closes the connection. */
  readonly truncate?: number;
  /** Sends the body one byte at a time, with this wait after each. */
  readonly drip_ms?: number;
}

interface Rule {
  readonly says: string;
  accepts(value: unknown): boolean;
}

const text: Rule = { says: "a string", accepts: (value) => typeof value === "string" };
const flag: Rule = { says: "true or false", accepts: (value) => typeof value === "boolean" };
const count: Rule = {
  says: "an integer from 0",
  accepts: (value) => Number.isInteger(value) && Number(value) >= 0,
};

const rules: Readonly<Record<keyof Fault, Rule>> = {
  method: text,
  path: {
    says: "a path such as /v1/api_apps/:api_app_id",
    accepts: (value) => typeof value === "string" && value.startsWith("/"),
  },
  times: { says: "an integer from 1", accepts: (value) => Number.isInteger(value) && Number(value) >= 1 },
  status: {
    says: "an HTTP status from 200 to 999",
    accepts: (value) => Number.isInteger(value) && Number(value) >= 200 && Number(value) <= 999,
  },
  code: {
    says: "a number or a string",
    accepts: (value) => typeof value === "number" || typeof value === "string",
  },
  msg: text,
  headers: { says: "an object of valid header names to a string or a list of strings", accepts: isHeaders },
  body: text,
  content_type: { says: "a header value", accepts: (value) => isHeaders({ "content-type": value }) },
  html: flag,
  raw: text,
  after_effect: flag,
  reset: {
    says: "before_effect or after_effect",
    accepts: (value) => value === "before_effect" || value === "after_effect",
  },
  delay_ms: count,
  truncate: count,
  drip_ms: count,
};

function isHeaders(value: unknown): boolean {
  if (!isObject(value)) return false;
  return Object.entries(value).every(([name, given]) =>
    [given].flat().every((each) => typeof each === "string" && isHeader(name, each)),
  );
}

/** Node throws on a header that it would not send; found here, it is the fault's author who is told. */
function isHeader(name: string, value: string): boolean {
  try {
    validateHeaderName(name);
    validateHeaderValue(name, value);
    return true;
  } catch {
    return false;
  }
}

function isFault(
  value: Readonly<Record<string, unknown>>,
): value is Readonly<Record<string, unknown>> & Fault {
  return Object.entries(value).every(
    ([name, given]) => Object.hasOwn(rules, name) && rules[name as keyof Fault].accepts(given),
  );
}

/** The faults in the body of POST /_sandbox/faults: one, or a list. Throws a message that says what is allowed. */
export function parseFaults(body: unknown): readonly Fault[] {
  return [body].flat().map((value: unknown) => {
    if (isObject(value) && isFault(value)) return value;
    const allowed = Object.entries(rules).map(([name, rule]) => `${name} (${rule.says})`);
    throw new Error(`not a fault: ${JSON.stringify(value)}; allowed are ${allowed.join(", ")}`);
  });
}
