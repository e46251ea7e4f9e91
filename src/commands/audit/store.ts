import { openStore } from "../../audit/open-store.ts";
import { type AuditStore, StoreError } from "../../audit/store.ts";
import { ConfigError, loadStoreConfig, type StoreConfig } from "../../config/config.ts";
import type { Terminal } from "../command.ts";

/**
 * Opens the configured store to read, lends it, and closes it whatever happens.
 * @throws {ConfigError} also when the store cannot be opened or read.
 */
export async function withStore<T>(
  { environment }: Pick<Terminal, "environment">,
  use: (store: AuditStore) => Promise<T>,
): Promise<T> {
  const config = loadStoreConfig(environment);
  return explained(config, async () => {
    const store = await openStore(config, {});
    try {
      return await use(store);
    } finally {
      await store.close();
    }
  });
}

/**
 * Does something with the store.
 * @throws {ConfigError} that names the store, when the store is why it could not be done.
 */
export async function explained<T>({ url }: Pick<StoreConfig, "url">, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    throw new ConfigError([`AUDIT_STORE ${url}: ${error.message}`]);
  }
}
