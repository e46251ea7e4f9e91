import { StoreError } from "../store.ts";
import { SqliteRemote } from "./remote.ts";

/** A thread that reads a store: started when it is needed, and again when it has ended. */
export class ReaderThread {
  readonly #script: URL;
  readonly #path: string;
  #remote: Promise<SqliteRemote> | undefined;
  #closed = false;

  /** @param remote one that runs already. */
  constructor(script: URL, path: string, remote?: SqliteRemote) {
    this.#script = script;
    this.#path = path;
    this.#remote = remote && Promise.resolve(remote);
  }

  /** The thread. Rejects with the StoreError of a start that failed; the next call tries again. */
  async get(): Promise<SqliteRemote> {
    if (this.#closed) throw new StoreError(`audit store ${this.#path}: it is closed`, { permanent: true });
    const remote = this.#remote;
    if (remote && !(await remote).isOver) return remote;
    // Whoever found the same one ended may have started another meanwhile.
    if (this.#remote === remote) this.#remote = this.#start();
    return this.get();
  }

  /** Ends the thread after what it was asked before. */
  async close(): Promise<void> {
    this.#closed = true;
    const remote = await this.#remote?.catch(() => undefined);
    await remote?.close();
  }

  async #start(): Promise<SqliteRemote> {
    try {
      const { remote } = await SqliteRemote.open(this.#script, { path: this.#path, open: "read" });
      return remote;
    } catch (error) {
      this.#remote = undefined;
      throw error;
    }
  }
}
