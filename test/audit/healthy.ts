import type { Draft, Link } from "../../src/audit/record.ts";
import { openSqliteStore } from "../../src/audit/sqlite/store.ts";
import type { AuditStore, Row } from "../../src/audit/store.ts";
import { linkOf, Trail } from "./rows.ts";

export const january = Date.parse("2027-01-20T08:00:00.000Z");
export const february = Date.parse("2027-02-20T08:00:00.000Z");
export const march = Date.parse("2027-03-20T08:00:00.000Z");

/** So many changes that went well: attempts, each with its outcome. */
export function changes(trail: Trail, count: number, draft: Partial<Draft> = {}): Row[] {
  return Array.from({ length: count }, (_, at) => {
    const attempt = trail.attempt(`${trail.head?.seq ?? 0}-${at}`, draft);
    return [attempt, trail.outcome(attempt, draft)];
  }).flat();
}

/** The newest record of a trail that has one. */
export function headOf({ head }: Trail): Link {
  if (!head) throw new Error("the trail is empty");
  return head;
}

/**
 * Records that what lies before a month is removed, as retention does before it removes it.
 * @returns the record, and what removes.
 */
export async function recordPruning(trail: Trail, store: AuditStore, month: string, time: number) {
  const after = trail.head;
  const plan = await store.prunable(month);
  if (!plan) throw new Error("there is nothing to prune");
  const row = trail.next({
    kind: "pruned",
    pruned_segments: [...plan.segments],
    pruned_records: plan.records,
    checkpoints: [...plan.checkpoints],
    time,
  });
  await store.append([row], after);
  return { row, remove: () => store.remove(plan.segments) };
}

/** The lines that gateways logged about rows. */
export async function* anchorsOf(rows: readonly Row[]): AsyncGenerator<string> {
  for (const { stream, seq, hash, text } of rows) {
    yield `{"level":"info","event":"audit","stream":"${stream}","seq":${seq},"hash":"${hash}","record":${text}}`;
  }
}

/** The file of a store as gateways leave it, and all rows that were ever stored in it, also those that were pruned. */
export interface Healthy {
  readonly path: string;
  readonly rows: readonly Row[];
}

/**
 * The store of a gateway with a past: `a.1` ran in January and February; `b.2` ran beside it and died with an attempt
 * under way, which `c.3` closed; `c.3` pruned January and stopped; `d.4` runs. Each names the end of the one before it.
 * @param path a file that is not there yet.
 */
export async function healthyStore(path: string): Promise<Healthy> {
  const store = await openSqliteStore(path, { stream: "d.4" });
  const rows: Row[] = [];
  const heads = new Map<string, Link>();
  const put = async (batch: readonly Row[]) => {
    await store.append(batch, heads.get(batch[0]?.stream ?? ""));
    for (const row of batch) heads.set(row.stream, linkOf(row));
    rows.push(...batch);
  };
  const a = new Trail("a.1");
  const b = new Trail("b.2");
  const c = new Trail("c.3");
  const d = new Trail("d.4");
  await put([
    a.next({ kind: "opened", version: "1.0.0", time: january }),
    ...changes(a, 6, { time: january }),
  ]);
  await put(changes(a, 4, { time: february }));
  await put([b.next({ kind: "opened", follows: headOf(a), time: february })]);
  for (let turn = 0; turn < 5; turn++) {
    await put(changes(b, 2, { time: february }));
    await put(changes(a, 1, { time: february }));
  }
  await put([a.next({ kind: "stopped", time: february })]);
  await put(changes(b, 3, { time: march }));
  const lost = b.attempt("lost", { time: march });
  await put([lost]);
  await put([
    c.next({ kind: "opened", follows: linkOf(lost), time: march }),
    c.next({ kind: "closed", closes: { stream: "b.2", seq: lost.seq }, outcome: "unknown", time: march }),
    ...changes(c, 5, { time: march }),
  ]);
  const { row: pruned, remove } = await recordPruning(c, store, "2027-02", march);
  rows.push(pruned);
  heads.set("c.3", linkOf(pruned));
  await remove();
  await put([...retried(c), c.next({ kind: "stopped", time: march })]);
  await put([
    d.next({ kind: "opened", follows: headOf(c), time: march }),
    ...changes(d, 8, { time: march }),
    d.attempt("under-way", { time: march }),
  ]);
  await store.close();
  return { path, rows };
}

/** A change that took two attempts, so that there are two logids. */
function retried(trail: Trail): Row[] {
  const attempt = trail.attempt("retried", { time: march });
  const attempts = [
    { attempt: 1, class: "throttled", status: 429, logid: "log-b", ms: 3 },
    { attempt: 2, class: "ok", status: 200, code: 0, logid: "log-a", ms: 5 },
  ];
  return [attempt, trail.outcome(attempt, { attempts, time: march })];
}
