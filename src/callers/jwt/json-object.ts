import { visit } from "jsonc-parser";
import { JwtRefused } from "./refused.ts";

/** A JSON object; what its members are is still to be looked at. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** Header and claims nest a few levels; a parser that works by recursion must not meet thousands. */
const mostLevels = 32;

/**
 * Reads a JSON object in which no name stands twice, at any depth and however it is escaped: of two members one
 * program takes the first and another the last, and so they would see different callers (RFC 8725, 2.4).
 * @throws {JwtRefused} malformed, duplicate_member
 */
export function parseJsonObject(bytes: Uint8Array): JsonObject {
  const text = decode(bytes);
  const value = parse(text);
  if (!isObject(value)) throw new JwtRefused("malformed");
  refuseDuplicates(text);
  return value;
}

function decode(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new JwtRefused("malformed");
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new JwtRefused("malformed");
  }
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** @param text valid JSON, as the visitor is lenient. */
function refuseDuplicates(text: string): void {
  const names: Set<string>[] = [];
  const enter = (): void => {
    if (names.push(new Set()) > mostLevels) throw new JwtRefused("malformed");
  };
  const leave = (): void => void names.pop();
  visit(text, {
    onObjectBegin: enter,
    onArrayBegin: enter,
    onObjectEnd: leave,
    onArrayEnd: leave,
    onObjectProperty: (name) => {
      const seen = names.at(-1);
      if (seen?.has(name)) throw new JwtRefused("duplicate_member");
      seen?.add(name);
    },
  });
}
