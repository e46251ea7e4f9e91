import type { CryptoKey } from "jose";
import { WatchedFile } from "../../config/watched-file.ts";
import type { Health } from "./health.ts";
import { type KeySet, type KeySource, maxKeySetBytes, parseKeySet, type WantedKey } from "./key-set.ts";
import { JwtRefused, JwtUnavailable } from "./refused.ts";

/** Which file, and who is told of it. */
export interface FileKeysOptions {
  /** Name of the issuer in the callers file. */
  readonly issuer: string;
  readonly path: string;
  /** Time between two looks, in ms. */
  readonly intervalMs: number;
  readonly health: Health;
}

/** Keys from a file under watch; the last good ones serve for as long as it is in trouble. */
export class FileKeys implements KeySource {
  readonly #options: FileKeysOptions;
  readonly #file: Promise<WatchedFile<KeySet>>;

  constructor(options: FileKeysOptions) {
    this.#options = options;
    const { path, intervalMs, health } = options;
    this.#file = WatchedFile.open({
      path,
      parse: parseKeySet,
      maxBytes: maxKeySetBytes,
      intervalMs,
      onChange: () => health.worked("jwks_file"),
      onRecovered: () => health.worked("jwks_file"),
      onError: ({ message }) => health.failed("jwks_file", `jwks_file: ${message}`),
    });
  }

  async find(wanted: WantedKey): Promise<CryptoKey> {
    const { issuer, health } = this.#options;
    const key = await (await this.#file).value?.find(wanted);
    if (key) return key;
    // The key may stand in the file that cannot be read.
    const problem = health.problemOf("jwks_file");
    if (problem !== undefined) throw new JwtUnavailable(issuer, problem);
    throw new JwtRefused("unknown_key");
  }

  async close(): Promise<void> {
    (await this.#file).close();
  }
}
