import { X509Certificate } from "node:crypto";
import { WatchedFile } from "../../config/watched-file.ts";
import { Secret } from "../../secret.ts";
import type { Health } from "./health.ts";

/** What an endpoint is met with. */
export interface EndpointFilesOptions {
  /** The only authorities trusted; those of the system when undefined. */
  readonly caFile: string | undefined;
  /** The gateway's own token for the endpoint. */
  readonly bearerTokenFile: string | undefined;
  /** Time between two looks, in ms. */
  readonly intervalMs: number;
  readonly health: Health;
}

/** What the files say now. */
export interface EndpointMeans {
  /** PEM; undefined when no file is named. */
  readonly authorities: string | undefined;
  readonly bearer: Secret | undefined;
}

/** A file under watch, where one is named. */
type Held<T> = WatchedFile<T> | undefined;

/**
 * The files of an endpoint under watch, as Kubernetes rotates both. A file that is named is needed: without it nothing
 * may be sent, rather than in another way than asked for.
 */
export class EndpointFiles {
  readonly #options: EndpointFilesOptions;
  readonly #files: Promise<readonly [ca: Held<string>, bearer: Held<Secret>]>;

  constructor(options: EndpointFilesOptions) {
    this.#options = options;
    this.#files = Promise.all([
      this.#watch("ca_file", options.caFile, parseAuthorities),
      this.#watch("bearer_token_file", options.bearerTokenFile, parseBearer),
    ]);
  }

  /** @throws Error when a file could never be read; its message is safe to log. */
  async read(): Promise<EndpointMeans> {
    const [ca, bearer] = await this.#files;
    return {
      authorities: contentOf("ca_file", ca),
      bearer: contentOf("bearer_token_file", bearer),
    };
  }

  /** Ends the watching. */
  async close(): Promise<void> {
    for (const file of await this.#files) file?.close();
  }

  async #watch<T>(
    name: "ca_file" | "bearer_token_file",
    path: string | undefined,
    parse: (content: Buffer) => T,
  ): Promise<Held<T>> {
    if (path === undefined) return undefined;
    const { health, intervalMs } = this.#options;
    return WatchedFile.open({
      path,
      parse,
      maxBytes: 1024 * 1024,
      intervalMs,
      onChange: () => health.worked(name),
      onRecovered: () => health.worked(name),
      onError: ({ message }) => health.failed(name, `${name}: ${message}`),
    });
  }
}

function contentOf<T>(name: string, file: Held<T>): T | undefined {
  if (file && file.value === undefined) throw new Error(`${name}: ${file.trouble?.message}`);
  return file?.value;
}

function parseAuthorities(content: Buffer): string {
  try {
    new X509Certificate(content);
  } catch {
    throw new Error("holds no PEM certificate");
  }
  return content.toString();
}

function parseBearer(content: Buffer): Secret {
  const token = content.toString().trim();
  if (!/^[\x21-\x7e]{1,16384}$/.test(token)) throw new Error("must hold one token and nothing else");
  return new Secret(token);
}
