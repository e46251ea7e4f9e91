import { maxCallersFileBytes } from "../callers/watched-callers.ts";
import { ConfigError } from "../config/config.ts";
import { WatchedFile } from "../config/watched-file.ts";

/** What was made of the callers file, and where it is. */
export interface CallersFile<T> {
  readonly path: string;
  readonly value: T;
}

/**
 * Reads the file that CALLERS_FILE names, by the rules of `serve`.
 * @param parse throws an Error whose message is safe to show.
 * @throws {ConfigError} when there is none, or it cannot be used.
 */
export async function readCallersFile<T>(
  { CALLERS_FILE: path }: { readonly CALLERS_FILE?: string },
  parse: (content: Buffer) => T,
): Promise<CallersFile<T>> {
  if (!path) throw new ConfigError(["CALLERS_FILE: missing; name the file of callers and keys"]);
  const file = await WatchedFile.open({ path, parse, maxBytes: maxCallersFileBytes });
  file.close();
  if (file.value === undefined) throw new ConfigError([`CALLERS_FILE ${path}: ${file.trouble?.message}`]);
  return { path, value: file.value };
}
