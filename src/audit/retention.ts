import { isDeepStrictEqual } from "node:util";
import type { Journal } from "./journal.ts";
import { type AuditRecord, asLink, type Link } from "./record.ts";
import type { AuditStore } from "./store.ts";
import { recordIn } from "./stored-record.ts";
import { now } from "./trail.ts";

const dayMs = 86_400_000;

/** What pruning needs of a store. */
export type PrunableStore = Pick<AuditStore, "prunable" | "remove" | "find" | "heads">;

/**
 * Removes the months that ended before the time to keep. What is to go is recorded first, with the place from which
 * each chain goes on: a pruning that was interrupted is found, and finished by the next one.
 * @returns how many records were removed.
 */
export async function prune(store: PrunableStore, journal: Journal, retentionDays: number): Promise<number> {
  const at = now();
  const keepFrom = new Date(at.time - retentionDays * dayMs).toISOString().slice(0, 7);
  const plan = await store.prunable(keepFrom);
  if (!plan) return 0;
  const newest = await newestPruning(store);
  const kept = await keptCheckpoints(store, newest, plan.checkpoints);
  const said = {
    pruned_segments: [...plan.segments],
    pruned_records: plan.records,
    checkpoints: [...plan.checkpoints.map(asLink).filter((link) => link !== undefined), ...kept],
  };
  // What was recorded and could not be done, as a reader was in the way, is not recorded again.
  if (!newest || !isDeepStrictEqual(said, pick(newest)))
    await journal.add({ ...at, kind: "pruned", ...said }).stored;
  return store.remove(plan.segments);
}

/**
 * Where the streams go on that lost records before and lose none now: as the newest pruning said, whose own record goes
 * some day. Never as the rows say: somebody who cut off a beginning would have it signed off.
 */
async function keptCheckpoints(
  store: PrunableStore,
  newest: AuditRecord | undefined,
  going: readonly Link[],
): Promise<Link[]> {
  const lose = new Set(going.map(({ stream }) => stream));
  const left = new Set((await store.heads()).map(({ stream }) => stream));
  return (newest?.checkpoints ?? []).filter(({ stream }) => left.has(stream) && !lose.has(stream));
}

async function newestPruning(store: PrunableStore): Promise<AuditRecord | undefined> {
  const prunings = await store.find({ kind: "pruned" }, { order: "newest_first", limit: 20 });
  return prunings.map(recordIn).find((record) => record !== undefined);
}

function pick({ pruned_segments, pruned_records, checkpoints }: AuditRecord) {
  return { pruned_segments, pruned_records, checkpoints };
}
