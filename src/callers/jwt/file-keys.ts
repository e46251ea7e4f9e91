import type { CryptoKey } from "jose";
import { WatchedFile } from "../../config/watched-file.ts";
import { type KeySet, type KeySource, maxKeySetBytes, parseKeySet, type WantedKey } from "./key-set.ts";
import type { SourceListeners } from "./prover.ts";
import { JwtRefused, JwtUnavailable } from "./refused.ts";

/** Keys from a file under watch; the last good ones serve for as long as it is in trouble. */
export class FileKeys implements KeySource {
  readonly #issuer: string;
  readonly #file: Promise<WatchedFile<KeySet>>;

  /** @param issuer its name in the callers file. */
  constructor(issuer: string, path: string, intervalMs: number, listeners: SourceListeners) {
    this.#issuer = issuer;
    let isInTrouble = false;
    const recovered = () => {
      if (isInTrouble) listeners.onRecovered?.(issuer);
      isInTrouble = false;
    };
    this.#file = WatchedFile.open({
      path,
      parse: parseKeySet,
      maxBytes: maxKeySetBytes,
      intervalMs,
      onChange: recovered,
      onRecovered: recovered,
      onError: ({ message }) => {
        isInTrouble = true;
        listeners.onFailure?.(issuer, `jwks_file: ${message}`);
      },
    });
  }

  async find(wanted: WantedKey): Promise<CryptoKey> {
    const { value, trouble } = await this.#file;
    const key = await value?.find(wanted);
    if (key) return key;
    // The key may stand in the file that cannot be read.
    if (trouble) throw new JwtUnavailable(this.#issuer, `jwks_file: ${trouble.message}`);
    throw new JwtRefused("unknown_key");
  }

  async close(): Promise<void> {
    (await this.#file).close();
  }
}
