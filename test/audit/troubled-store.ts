import { join } from "node:path";
import { genesisHash, hashOf } from "../../src/audit/chain.ts";
import { type AuditRecord, auditRecord, type Link } from "../../src/audit/record.ts";
import { openSqliteStore } from "../../src/audit/sqlite/store.ts";
import type { AuditStore, Row, StoredRow } from "../../src/audit/store.ts";

/** A real store that gets into trouble when a test wants it. */
export interface TroubledStore extends AuditStore {
  /** The batches that it was asked to append, repeats included. */
  readonly asked: { readonly rows: readonly Row[]; readonly after: Link | undefined }[];
  /** Runs before an append and can delay it or let it fail. */
  beforeAppend: () => Promise<void>;
  /** Runs when the batch is stored already and can hide that. */
  afterAppend: () => Promise<void>;
}

/** What a test needs of tap. */
export interface FolderAndTeardown {
  testdir(): string;
  teardown(handler: () => unknown): void;
}

/** Opens a store in a folder of its own; it is closed when the test ends. */
export async function openStore(t: FolderAndTeardown, stream: string): Promise<AuditStore> {
  const store = await openSqliteStore(join(t.testdir(), "audit.db"), { stream });
  t.teardown(() => store.close());
  return store;
}

const nothing = async () => undefined;

/** The same store with troubles on demand. */
export function troubled(store: AuditStore): TroubledStore {
  const self: TroubledStore = {
    asked: [],
    beforeAppend: nothing,
    afterAppend: nothing,
    repairedBytes: store.repairedBytes,
    append: async (rows, after) => {
      self.asked.push({ rows, after });
      await self.beforeAppend();
      await store.append(rows, after);
      await self.afterAppend();
    },
    find: (...args) => store.find(...args),
    chain: (...args) => store.chain(...args),
    ownersOf: (...args) => store.ownersOf(...args),
    owners: (...args) => store.owners(...args),
    heads: () => store.heads(),
    unfinished: (...args) => store.unfinished(...args),
    claim: (...args) => store.claim(...args),
    release: (...args) => store.release(...args),
    prunable: (...args) => store.prunable(...args),
    remove: (...args) => store.remove(...args),
    damage: () => store.damage(),
    close: () => store.close(),
  };
  return self;
}

/** Fails so many times, then never again. */
export function failing(times: number, message = "the disk is full"): () => Promise<void> {
  let left = times;
  return async () => {
    if (left-- > 0) throw new Error(message);
  };
}

/** All records of one stream, in order. Throws when its chain is not whole or a record breaks the schema. */
export async function recordsOf(store: Pick<AuditStore, "chain">, stream: string): Promise<AuditRecord[]> {
  const rows: StoredRow[] = [];
  for (;;) {
    const { seq = 0, position = 0 } = rows.at(-1) ?? {};
    const page = await store.chain({ stream, seq, position }, 5_000);
    const mine = page.filter((row) => row.stream === stream);
    rows.push(...mine);
    if (mine.length < 5_000) break;
  }
  let head: Link | undefined;
  return rows.map(({ text, hash }) => {
    const record = auditRecord.parse(JSON.parse(text));
    const { seq = 0, hash: previous = genesisHash } = head ?? {};
    if (record.seq !== seq + 1 || record.prev_hash !== previous || hashOf(text) !== hash)
      throw new Error(`the chain breaks at ${record.seq}`);
    head = { stream, seq: record.seq, hash };
    return record;
  });
}
