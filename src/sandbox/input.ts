import { badParameter } from "./reply.ts";

/** What an operation reads of a request: everything still unchecked. */
export interface Input {
  readonly apiAppId: string;
  readonly query: Readonly<Record<string, unknown>>;
  readonly contentType: string;
  /** The raw body, empty when there was none. */
  readonly body: string;
}

/** The JSON object in the body; Coze documents `Content-Type: application/json` for it (FACTS (f)). */
export function jsonObject(input: Input): Readonly<Record<string, unknown>> {
  if (input.body === "") throw badParameter("a JSON body is required");
  if (!/^application\/json\s*(;|$)/i.test(input.contentType)) {
    throw badParameter("Content-Type must be application/json");
  }
  const value = parse(input.body);
  if (!isObject(value)) throw badParameter("the body must be a JSON object");
  return value;
}

/** True for what JSON calls an object. */
export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw badParameter("the body is not valid JSON");
  }
}

/** A non-empty string field, or undefined when the field is absent. */
export function optionalString(fields: Readonly<Record<string, unknown>>, name: string): string | undefined {
  const value = fields[name];
  if (value === undefined) return undefined;
  if (typeof value !== "string" || value === "") throw badParameter(`${name} must be a non-empty string`);
  return value;
}

/** `normal` or `connector`, or undefined when the field is absent (FACTS (f) 1 and 3). */
export function appType(fields: Readonly<Record<string, unknown>>): "normal" | "connector" | undefined {
  const value = fields["app_type"];
  if (value === undefined || value === "normal" || value === "connector") return value;
  throw badParameter("app_type must be normal or connector");
}

/** The required list of event types; which types exist is left open, as Coze adds some over time (FACTS (f) 5). */
export function eventTypes(input: Input): readonly string[] {
  const value = jsonObject(input)["event_types"];
  if (value === undefined) throw badParameter("event_types is required");
  if (!Array.isArray(value) || value.length === 0) {
    throw badParameter("event_types must be a non-empty list");
  }
  return value.map((type: unknown) => {
    if (typeof type !== "string" || type === "") {
      throw badParameter("each of event_types must be a non-empty string");
    }
    return type;
  });
}
