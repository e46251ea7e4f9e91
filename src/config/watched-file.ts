import { readFile, stat } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";

/** What a watched file reports. */
export interface WatchListeners<T> {
  /** A new content was read and is in force. */
  readonly onChange?: (value: T) => void;
  /** The file can be used again, and its content is what was in force all the time. */
  readonly onRecovered?: () => void;
  /** The file cannot be used; what was in force before stays. Called once for each different trouble. */
  readonly onError?: (error: Error) => void;
}

/** Which file is watched, and how its content is taken. */
export interface WatchOptions<T> extends WatchListeners<T> {
  readonly path: string;
  /** Turns the content into a value, or throws an Error whose message is safe to log. */
  readonly parse: (content: Buffer) => T;
  readonly maxBytes: number;
  /** Time between two looks, in ms. */
  readonly intervalMs?: number;
}

/** New content is believed when it has not changed for this long. */
const settleMs = 50;

/**
 * A file whose content is looked at again and again, with the last good value kept. Content is compared, not file
 * events or times: Kubernetes swaps a `..data` link, after which `fs.watch` on the file goes deaf (PITFALLS).
 */
export class WatchedFile<T> {
  readonly #options: WatchOptions<T>;
  readonly #timer: NodeJS.Timeout;
  #content: Buffer | undefined;
  #value: T | undefined;
  #trouble: Error | undefined;
  /** What `parse` refused last: it is not asked again, it may be costly. */
  #refused: { readonly content: Buffer; readonly error: unknown } | undefined;
  /** The look under way, and the one that follows it. */
  #look: Promise<void> | undefined;
  #next: Promise<void> | undefined;

  private constructor(options: WatchOptions<T>) {
    this.#options = options;
    this.#timer = setInterval(() => {
      if (!this.#look) void this.refresh();
    }, options.intervalMs ?? 500).unref();
  }

  /** Starts watching; the first look is done when the promise resolves, good or not. */
  static async open<T>(options: WatchOptions<T>): Promise<WatchedFile<T>> {
    const file = new WatchedFile(options);
    await file.refresh();
    return file;
  }

  /** The last good value; undefined when there has been none yet. */
  get value(): T | undefined {
    return this.#value;
  }

  /** Why the file cannot be used now; undefined when it can. */
  get trouble(): Error | undefined {
    return this.#trouble;
  }

  /** Looks now, or after a look under way, which may have read before the caller's reason to ask. It never rejects. */
  refresh(): Promise<void> {
    if (this.#look) {
      this.#next ??= this.#look.then(() => {
        this.#next = undefined;
        return this.refresh();
      });
      return this.#next;
    }
    this.#look = this.#read().finally(() => {
      this.#look = undefined;
    });
    return this.#look;
  }

  /** Ends the polling. */
  close(): void {
    clearInterval(this.#timer);
  }

  /** The content, or undefined while somebody is still writing: a half-written file may look whole. */
  async #settledContent(): Promise<Buffer | undefined> {
    const { path, maxBytes } = this.#options;
    const content = await readBounded(path, maxBytes);
    // Only the first look of all takes what it finds, so that a start knows at once what it has.
    if (this.#content?.equals(content) ?? !this.#trouble) return content;
    await sleep(settleMs);
    return content.equals(await readBounded(path, maxBytes)) ? content : undefined;
  }

  #parse(content: Buffer): T {
    if (this.#refused?.content.equals(content)) throw this.#refused.error;
    try {
      return this.#options.parse(content);
    } catch (error) {
      this.#refused = { content, error };
      throw error;
    }
  }

  async #read(): Promise<void> {
    try {
      const content = await this.#settledContent();
      if (!content || (this.#content?.equals(content) && !this.#trouble)) return;
      const value = this.#parse(content);
      const unchanged = this.#content?.equals(content);
      this.#content = content;
      this.#value = value;
      this.#trouble = undefined;
      this.#refused = undefined;
      if (unchanged) this.#options.onRecovered?.();
      else this.#options.onChange?.(value);
    } catch (cause) {
      const error = cause instanceof Error ? cause : new Error(String(cause));
      const known = this.#trouble?.message === error.message;
      this.#trouble = error;
      if (!known) this.#options.onError?.(error);
    }
  }
}

async function readBounded(path: string, maxBytes: number): Promise<Buffer> {
  const found = await stat(path);
  // Opening a pipe would wait for its writer for ever, so look before opening.
  if (!found.isFile()) throw new Error("not a regular file");
  if (found.size > maxBytes) throw new Error(`larger than ${maxBytes} bytes`);
  return readFile(path);
}
