import { closeSync, existsSync, mkdirSync, openSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { storeErrorOf } from "./error.ts";

/**
 * Creates an empty file, and its folder, for this user alone, unless it is there. A file that is there is not opened:
 * closing it again would drop the locks that SQLite holds on it anywhere in this process.
 * @throws {StoreError} when there is none and none can be made.
 */
export function createFile(path: string): void {
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    closeSync(openSync(path, "wx", 0o600));
  } catch (error) {
    if (!existsSync(path)) throw storeErrorOf(error, path, "create the file");
  }
}

/** Which file stands at a path, whatever its content; undefined when none does. */
export function fileAt(path: string): string | undefined {
  const found = statSync(path, { bigint: true, throwIfNoEntry: false });
  return found && `${found.dev}:${found.ino}`;
}

/** A file together with the state of its content. */
export function contentAt(path: string): string | undefined {
  const found = statSync(path, { bigint: true, throwIfNoEntry: false });
  return found && `${found.dev}:${found.ino}:${found.size}:${found.mtimeNs}`;
}
