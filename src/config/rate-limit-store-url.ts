import { inspect } from "node:util";

/** Where rate limits are shared, as RATE_LIMIT_STORE says: a Redis or Valkey server. It prints without password. */
export class RateLimitStoreUrl {
  readonly host: string;
  readonly port: number;
  readonly tls: boolean;
  readonly database: number;
  readonly username: string | undefined;
  readonly #password: string | undefined;

  /** @throws Error that says what would be right; it does not show the text, which can hold a password. */
  constructor(text: string) {
    const url = URL.parse(text);
    const [, tls] = /^(?:redis|valkey)(s?):$/.exec(url?.protocol ?? "") ?? [];
    if (!url?.hostname || tls === undefined)
      throw new Error("must be memory, or a URL of the form redis://user@host:6379/0 (rediss:// for TLS)");
    // A password whose / is not percent-encoded would stand, in part, in what is shown.
    if (!/^(\/\d{0,5})?$/.test(url.pathname + url.search + url.hash))
      throw new Error("must end with the number of a database; write / ? # in a password as %2F %3F %23");
    this.host = url.hostname.replace(/^\[(.*)\]$/, "$1");
    this.port = Number(url.port || 6379);
    this.tls = tls === "s";
    this.database = Number(url.pathname.slice(1));
    this.username = decoded(url.username);
    this.#password = decoded(url.password);
  }

  get hasPassword(): boolean {
    return this.#password !== undefined;
  }

  /** The password of the URL; call it only where the connection is made. */
  revealPassword(): string | undefined {
    return this.#password;
  }

  toString(): string {
    const user = this.username === undefined ? "" : encodeURIComponent(this.username);
    const credentials = `${user}${this.hasPassword ? ":[redacted]" : ""}`;
    const host = this.host.includes(":") ? `[${this.host}]` : this.host;
    return `redis${this.tls ? "s" : ""}://${credentials && `${credentials}@`}${host}:${this.port}/${this.database}`;
  }

  toJSON(): string {
    return this.toString();
  }

  [inspect.custom](): string {
    return this.toString();
  }
}

function decoded(part: string): string | undefined {
  if (part === "") return undefined;
  try {
    return decodeURIComponent(part);
  } catch {
    throw new Error("user and password must be percent-encoded: write % as %25");
  }
}
