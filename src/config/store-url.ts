import { inspect } from "node:util";

/** Where the audit trail is kept, as AUDIT_STORE says; prints without password and query. */
export class StoreUrl {
  readonly kind: "sqlite" | "postgres";
  readonly #text: string;

  /** @throws Error that says what would be right; it does not show the text, which can hold a password. */
  constructor(text: string) {
    const [, scheme] = /^(sqlite|postgres|postgresql):/.exec(text) ?? [];
    if (!scheme) throw new Error("must be sqlite:<file> or postgres://user@host:5432/database");
    this.kind = scheme === "sqlite" ? "sqlite" : "postgres";
    this.#text = text;
    if (this.kind === "sqlite" && this.path === "") throw new Error("sqlite: must name a file");
    const url = URL.parse(text);
    // A password whose # or / is not percent-encoded would stand, in part, in the path, which is shown.
    if (this.kind === "postgres" && (!url?.hostname || /[#@]/.test(url.pathname + url.hash)))
      throw new Error("is not a URL of the form postgres://user@host:5432/database");
  }

  /** The file of an SQLite store. */
  get path(): string {
    return this.#text.slice("sqlite:".length);
  }

  /** The whole text, password included; call it only where the connection is made. */
  reveal(): string {
    return this.#text;
  }

  toString(): string {
    if (this.kind === "sqlite") return this.#text;
    const url = new URL(this.#text);
    if (url.password) url.password = "[redacted]";
    url.search = "";
    return url.href.replace("%5Bredacted%5D", "[redacted]");
  }

  toJSON(): string {
    return this.toString();
  }

  [inspect.custom](): string {
    return this.toString();
  }
}
