import { createScanner } from "jsonc-parser";

/** A stretch of a text: from `start` to before `end`. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** One value of a JSON text and where it stands. Members keep their order and repeats; names and strings are unescaped. */
export type JsonNode = Span &
  (
    | { readonly kind: "object"; readonly members: readonly JsonMember[] }
    | { readonly kind: "array"; readonly elements: readonly JsonNode[] }
    | { readonly kind: "string"; readonly text: string }
    | { readonly kind: "null" }
    | { readonly kind: "other" }
  );

/** One member of an object. */
export interface JsonMember {
  readonly name: string;
  readonly value: JsonNode;
}

/**
 * A reply that cannot be read well enough to know what it would show, so nothing of it may be. The message shows
 * nothing of it either.
 */
export class UnreadableReply extends Error {
  constructor(message: string) {
    super(message);
    this.name = "UnreadableReply";
  }
}

/** Deeper values are refused: each level takes a part of the stack, and no reply of Coze's has ten. */
export const mostDepth = 100;

/** jsonc-parser's words for tokens: its enum exists for the compiler only, and not with isolated modules. */
const token = {
  openBrace: 1,
  closeBrace: 2,
  openBracket: 3,
  closeBracket: 4,
  comma: 5,
  colon: 6,
  null: 7,
  true: 8,
  false: 9,
  string: 10,
  number: 11,
  lineBreak: 14,
  space: 15,
  end: 17,
} as const;

/**
 * Reads a JSON text, decoded as Latin-1 so that offsets count bytes, and tells where each value stands. It takes what `JSON.parse` takes and nothing else: of
 * jsonc-parser it uses the scanner alone, as its parser is lenient and overflows the stack on deep nesting.
 * @throws {UnreadableReply} also when values are nested deeper than `mostDepth`.
 */
export function parseJsonTree(text: string): JsonNode {
  return new Reader(text).whole();
}

class Reader {
  readonly #scanner: ReturnType<typeof createScanner>;
  /** The token that is to be taken next. */
  #token: number = token.end;

  constructor(text: string) {
    this.#scanner = createScanner(text, false);
    this.#next();
  }

  whole(): JsonNode {
    const node = this.#value(1);
    if (this.#token !== token.end) throw this.#unreadable();
    return node;
  }

  #value(depth: number): JsonNode {
    if (depth > mostDepth) throw this.#unreadable("nested too deep");
    switch (this.#token) {
      case token.openBrace:
        return this.#object(depth);
      case token.openBracket:
        return this.#array(depth);
      case token.string:
        return this.#ending({ kind: "string", text: this.#scanner.getTokenValue() });
      case token.null:
        return this.#ending({ kind: "null" });
      case token.true:
      case token.false:
      case token.number:
        return this.#ending({ kind: "other" });
      default:
        throw this.#unreadable();
    }
  }

  #object(depth: number): JsonNode {
    const start = this.#scanner.getTokenOffset();
    const members: JsonMember[] = [];
    this.#next();
    while (this.#token !== token.closeBrace) {
      if (members.length > 0) this.#take(token.comma);
      const name = this.#take(token.string);
      this.#take(token.colon);
      members.push({ name, value: this.#value(depth + 1) });
    }
    return this.#ending({ kind: "object", members }, start);
  }

  #array(depth: number): JsonNode {
    const start = this.#scanner.getTokenOffset();
    const elements: JsonNode[] = [];
    this.#next();
    while (this.#token !== token.closeBracket) {
      if (elements.length > 0) this.#take(token.comma);
      elements.push(this.#value(depth + 1));
    }
    return this.#ending({ kind: "array", elements }, start);
  }

  /** The node whose last token is the one at hand, which is taken. */
  #ending<T extends object>(what: T, start = this.#scanner.getTokenOffset()): T & Span {
    const node = { ...what, start, end: this.#scanner.getPosition() };
    this.#next();
    return node;
  }

  /** Takes the token at hand, which must be of this kind, and gives its value. */
  #take(kind: number): string {
    if (this.#token !== kind) throw this.#unreadable();
    const value = this.#scanner.getTokenValue();
    this.#next();
    return value;
  }

  #next(): void {
    do {
      this.#token = this.#scanner.scan();
    } while (this.#token === token.space || this.#token === token.lineBreak);
    if (this.#scanner.getTokenError() !== 0) throw this.#unreadable();
  }

  #unreadable(why = "not JSON"): UnreadableReply {
    return new UnreadableReply(`${why} at byte ${this.#scanner.getTokenOffset()}`);
  }
}
