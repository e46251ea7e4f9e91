import t from "tap";
import type { AuditStore } from "../../src/audit/store.ts";
import { besideContract } from "./store-contract-beside.ts";
import { ownersContract } from "./store-contract-owners.ts";
import type { Check, Open, Scope } from "./store-contract-place.ts";
import { readingContract } from "./store-contract-reading.ts";
import { retentionContract } from "./store-contract-retention.ts";
import { writingContract } from "./store-contract-writing.ts";

/** How the contract is checked of a kind of store. */
export interface ContractOptions {
  /** Makes a place without a store for one subtest; what it needs to clean up it gives to `teardown`. */
  readonly place: (t: Scope) => Promise<Open> | Open;
}

/**
 * Checks of a kind of store what `AuditStore` promises of every one. Stores to write are opened one after the other, so
 * that stores for one process pass too.
 */
export function storeContract(name: string, { place }: ContractOptions): void {
  const check: Check = (what, body) =>
    t.test(`${name}: ${what}`, async (t) => {
      const open = await place(t);
      const opened: AuditStore[] = [];
      try {
        await body(t, async (options) => {
          const store = await open(options);
          opened.push(store);
          return store;
        });
      } finally {
        for (const store of opened) await store.close();
      }
    });
  writingContract(check);
  readingContract(check);
  retentionContract(check);
  ownersContract(check);
  besideContract(check);
}
