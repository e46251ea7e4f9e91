import type { StoreUrl } from "../config/store-url.ts";
import { openSqliteStore } from "./sqlite/store.ts";
import type { AuditStore, StoreOptions } from "./store.ts";

/** Where the store is, and the file with its password, if that is not in the URL. */
export interface StoreLocation {
  readonly url: StoreUrl;
  readonly passwordFile?: string | undefined;
}

/**
 * Opens the store that AUDIT_STORE names.
 * @throws {StoreError} `permanent` when it cannot work until somebody changes something.
 */
export async function openStore(
  { url, passwordFile }: StoreLocation,
  options: StoreOptions,
): Promise<AuditStore> {
  if (url.kind === "sqlite") return openSqliteStore(url.path, options);
  // Its driver is loaded only where it is used.
  const { openPostgresStore } = await import("./postgres/store.ts");
  return openPostgresStore({ url: url.reveal(), passwordFile }, options);
}
