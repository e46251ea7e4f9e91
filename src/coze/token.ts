import { WatchedFile } from "../config/watched-file.ts";
import { GatewayError } from "../errors.ts";
import { type Secret, Unprintable } from "../secret.ts";

/** Where the token comes from: a file that is watched, or a fixed value. */
export type TokenSource = { readonly file: string } | { readonly value: Secret };

export interface TokenListeners {
  readonly onChange?: (generation: number) => void;
  readonly onRecovered?: () => void;
  readonly onError?: (error: Error) => void;
}

/** The token as one attempt uses it. */
export interface TokenUse {
  /** Value of the Authorization header toward Coze. */
  readonly authorization: string;
  /** Grows with each new token, so that an attempt can tell whether a newer one is at hand. */
  readonly generation: number;
}

/**
 * Reads a token out of a file's content or a variable: a byte order mark and white space around it are dropped.
 * Only "one line that is safe in a header" is asked for; Coze's prefixes are not (FACTS d).
 * @throws Error that says what is wrong, never what the content is.
 */
export function parseToken(content: Buffer | string): string {
  const token = content
    .toString("utf8")
    .replace(/^\uFEFF/, "")
    .trim();
  if (token === "") throw new Error("the token is empty");
  if (/[\r\n]/.test(token)) throw new Error("the token has more than one line");
  if (!/^[\x21-\x7e]+$/.test(token))
    throw new Error("the token has blanks or characters that a header cannot carry");
  if (token.length < 8 || token.length > 8192) throw new Error("the token must have 8 to 8192 characters");
  return token;
}

/** The one holder of the Coze token. Each attempt asks for the current value, so a retry already uses a new one. */
export class CozeToken extends Unprintable {
  #value: string | undefined;
  #generation = 0;
  /** How the token now in force, and the one before it, may show up in text. */
  #forms: readonly [readonly string[], readonly string[]] = [[], []];
  #file: WatchedFile<string> | undefined;

  private constructor() {
    super();
  }

  /**
   * Starts holding the token. A file that cannot be used is reported to `onError` and read again later: the
   * gateway starts not ready instead of restarting for ever.
   * @throws Error when a fixed value is no token.
   */
  static async open(source: TokenSource, listeners: TokenListeners = {}): Promise<CozeToken> {
    const token = new CozeToken();
    if ("value" in source) {
      token.#take(parseToken(source.value.reveal()));
      return token;
    }
    token.#file = await WatchedFile.open({
      path: source.file,
      parse: parseToken,
      maxBytes: 64 * 1024,
      onChange: (value) => {
        if (token.#take(value)) listeners.onChange?.(token.#generation);
      },
      onRecovered: () => listeners.onRecovered?.(),
      onError: (error) => listeners.onError?.(error),
    });
    return token;
  }

  /** Counts the tokens taken so far; 0 while there is none. */
  get generation(): number {
    return this.#generation;
  }

  /** Why the source cannot be used now, though the last good token may still be in force. */
  get trouble(): Error | undefined {
    return this.#file?.trouble;
  }

  /** @throws {GatewayError} token_unavailable while no token was ever read. */
  use(): TokenUse {
    if (this.#value === undefined) throw new GatewayError("token_unavailable");
    return { authorization: `Bearer ${this.#value}`, generation: this.#generation };
  }

  /** Looks at the source now, as after a rejection by Coze. */
  async refresh(): Promise<void> {
    await this.#file?.refresh();
  }

  /** True when the bytes hold this token or the one before, as it is or in a common encoding. */
  isIn(bytes: Buffer): boolean {
    return this.#forms.flat().some((form) => bytes.includes(form));
  }

  /** The text with the token, in any of its forms, replaced: the last net under everything that is printed. */
  redact(text: string): string {
    return this.#forms.flat().reduce((clean, form) => clean.replaceAll(form, "[redacted]"), text);
  }

  close(): void {
    this.#file?.close();
  }

  #take(value: string): boolean {
    if (value === this.#value) return false;
    this.#value = value;
    this.#generation += 1;
    this.#forms = [encodings(value), this.#forms[0]];
    return true;
  }
}

/** Plain, URL-encoded, JSON-escaped, and base64 in both alphabets at each of the three alignments. */
function encodings(token: string): string[] {
  const base64 = [0, 1, 2].flatMap((offset) =>
    (["base64", "base64url"] as const).map((alphabet) => {
      const padded = Buffer.from(" ".repeat(offset) + token);
      const whole = padded.subarray(0, padded.length - (padded.length % 3)).toString(alphabet);
      // The first four characters also depend on what stands before the token.
      return offset === 0 ? whole : whole.slice(4);
    }),
  );
  const forms = [token, encodeURIComponent(token), JSON.stringify(token).slice(1, -1), ...base64];
  return [...new Set(forms)].filter((form) => form.length >= 8);
}
