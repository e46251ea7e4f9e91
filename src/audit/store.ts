import type { AuditKind, AuditOutcome, AuditRecord, Link } from "./record.ts";

/** The columns by which records are found: a copy of what the text says, which `audit verify` compares with it. */
export interface Labels {
  readonly stream: string;
  readonly seq: number;
  readonly segment: string;
  /** ms since the epoch. */
  readonly time: number;
  readonly kind: string;
  readonly request_id: string | null;
  readonly caller: string | null;
  readonly credential_id: string | null;
  readonly operation: string | null;
  readonly api_app_id: string | null;
  readonly outcome: string | null;
  readonly closes_stream: string | null;
  readonly closes_seq: number | null;
  readonly owner: string | null;
  readonly previous_owner: string | null;
  /** Of all attempts, without repeats, sorted. */
  readonly logids: readonly string[];
}

/** One row to store: columns, canonical text, and its hash. */
export interface Row extends Labels {
  readonly text: string;
  readonly hash: string;
}

/** One row as a store gives it back. Nothing in it is trusted before it was checked. */
export interface StoredRow extends Row {
  /** Order of storing over all streams: grows from row to row, and no row ever appears below one that was seen. */
  readonly position: number;
}

/** Which records are asked for; what is absent does not matter. Times in ms since the epoch, `from` included, `to` not. */
export interface AuditFilter {
  readonly from?: number | undefined;
  readonly to?: number | undefined;
  readonly kind?: AuditKind | undefined;
  readonly request_id?: string | undefined;
  readonly caller?: string | undefined;
  readonly credential_id?: string | undefined;
  readonly operation?: string | undefined;
  readonly api_app_id?: string | undefined;
  readonly outcome?: AuditOutcome | undefined;
  readonly logid?: string | undefined;
}

/** A page of a list by position. Newest first goes down from `before`, oldest first goes up from `after`; both exclusive. */
export type Page =
  | { readonly order: "newest_first"; readonly before?: number | undefined; readonly limit: number }
  | { readonly order: "oldest_first"; readonly after?: number | undefined; readonly limit: number };

/** A point in the order of chains: streams by name (bytes), each by seq, equal ones by position. */
export interface ChainPoint {
  readonly stream: string;
  readonly seq: number;
  /** Absent: before all rows of this stream and seq. */
  readonly position?: number;
}

/** Who owns a callback app, and the record that says so. */
export interface AppOwner {
  readonly api_app_id: string;
  readonly owner: string;
  /** Time of the record, in ms since the epoch. */
  readonly since: number;
  readonly stream: string;
  readonly seq: number;
}

/** A page of the owned apps, by api_app_id (bytes), going up from `after`, which is exclusive. */
export interface OwnersPage {
  /** Only what this caller owns. */
  readonly owner?: string | undefined;
  readonly after?: string | undefined;
  readonly limit: number;
}

/** What retention would remove: whole months, and where the chains of the streams go on from. */
export interface Prunable {
  readonly segments: readonly string[];
  readonly records: number;
  /** For each stream that loses records: the last one that goes. */
  readonly checkpoints: readonly Link[];
}

/**
 * Where the trail is kept. All methods reject with a StoreError, or wait no longer than some seconds, when the store is
 * in trouble; all can be called again afterwards, and work again once the trouble is over.
 */
export interface AuditStore {
  /** Bytes of an unfinished write that opening found and dropped; 0 when the last process ended well. */
  readonly repairedBytes: number;
  /**
   * Stores all rows or none, and resolves when they are durable. The rows belong to one stream and follow each other.
   * A repeat of a batch that was stored already changes nothing and resolves, so that a caller who could not see the
   * end of one can send it again.
   * @param after the record before the first row; the store must hold it, else it has lost records and refuses.
   */
  append(rows: readonly Row[], after: Link | undefined): Promise<void>;
  /** One page of the rows that match, by position. */
  find(filter: AuditFilter, page: Page): Promise<StoredRow[]>;
  /** The next rows in the order of chains, after a point; undefined starts at the beginning. */
  chain(after: ChainPoint | undefined, limit: number): Promise<StoredRow[]>;
  /**
   * Who owns these callback apps; what nobody owns is not in the map. It knows all that was stored before, also by
   * other processes, and costs as much as there are ids, a few hundred at most, however many apps are owned.
   */
  ownersOf(apiAppIds: readonly string[]): Promise<ReadonlyMap<string, string>>;
  /** One page of all owned apps. */
  owners(page: OwnersPage): Promise<AppOwner[]>;
  /** The row with the highest seq of each stream, by stream name. */
  heads(): Promise<StoredRow[]>;
  /** The attempts of a stream with a seq above `settledTo` that no row closes, by seq. */
  unfinished(stream: string, settledTo: number): Promise<StoredRow[]>;
  /** Takes a stream into care when the process that wrote it is dead; false when it lives, or another one cares. */
  claim(stream: string): Promise<boolean>;
  /** Lets go of a claimed stream. */
  release(stream: string): Promise<void>;
  /** What lies wholly in months before this one (`YYYY-MM`); undefined when nothing does. */
  prunable(before: string): Promise<Prunable | undefined>;
  /** Removes whole months; ones that are gone already are no error. Resolves with the number of rows removed. */
  remove(segments: readonly string[]): Promise<number>;
  /** Damage that the store finds in itself, one line each; looked for by reading all of it. */
  damage(): Promise<string[]>;
  close(): Promise<void>;
}

/** How a store is opened: with a stream to write, or to read only. */
export interface StoreOptions {
  /** The stream that this process writes; absent: the store is opened for reading, must exist, and is not changed. */
  readonly stream?: string | undefined;
  /**
   * For a command that adds a few records: the store must exist, and other processes may write it meanwhile, even an
   * SQLite store, whose dead streams are then left to them.
   */
  readonly beside?: boolean | undefined;
}

/** What is known of a StoreError besides its message. */
interface StoreErrorDetails {
  /** It will not work until somebody changes something. */
  readonly permanent?: boolean;
  /** There is nothing to read yet, or not in this version's form; who opens the store to write sets it up. */
  readonly absent?: boolean;
  readonly cause?: unknown;
}

/** Why a store did not do what it was asked. */
export class StoreError extends Error {
  readonly permanent: boolean;
  readonly absent: boolean;

  constructor(message: string, { permanent = false, absent = false, cause }: StoreErrorDetails = {}) {
    super(message, { cause });
    this.name = "StoreError";
    this.permanent = permanent;
    this.absent = absent;
  }
}

/** The columns that a record's text calls for. */
export function labelsOf(record: AuditRecord): Labels {
  const logids = new Set(record.attempts?.flatMap(({ logid }) => logid ?? []));
  return {
    stream: record.stream,
    seq: record.seq,
    segment: record.segment,
    time: Date.parse(record.time),
    kind: record.kind,
    request_id: record.request_id ?? null,
    caller: record.caller ?? null,
    credential_id: record.credential_id ?? null,
    operation: record.operation ?? null,
    api_app_id: record.api_app_id ?? null,
    outcome: record.outcome ?? null,
    closes_stream: record.closes?.stream ?? null,
    closes_seq: record.closes?.seq ?? null,
    owner: record.owner ?? null,
    previous_owner: record.previous_owner ?? null,
    logids: [...logids].sort(),
  };
}
