import type { AuditStore } from "./store.ts";

/** The store of a process, opened when it is first asked for, and again after an opening that failed. */
export class StoreConnection {
  readonly #open: () => Promise<AuditStore>;
  #store: Promise<AuditStore> | undefined;

  constructor(open: () => Promise<AuditStore>) {
    this.#open = open;
  }

  /** The open store. Rejects with the StoreError of an opening that failed; the next call tries again. */
  get(): Promise<AuditStore> {
    this.#store ??= this.#open().catch((error: unknown) => {
      this.#store = undefined;
      throw error;
    });
    return this.#store;
  }

  /** Closes the store if it is open. */
  async close(): Promise<void> {
    const store = await this.#store?.catch(() => undefined);
    await store?.close();
  }
}
