import { recordId } from "../record.ts";
import type { Surroundings } from "./links.ts";
import { chainPages } from "./pages.ts";
import { StreamCheck } from "./stream.ts";

/** How far the walk has come, and what it went through. */
export interface Tally {
  streams: number;
  records: number;
  /** The record that was checked last. */
  last: string | undefined;
  /** Streams that end with the word that their process stopped in good order. */
  stopped: number;
  /** Attempts without an outcome, and the ids of the first few: no fault, as their process may be running. */
  readonly unfinished: { count: number; readonly first: string[] };
}

const fewIds = 5;

/** A tally of nothing yet. */
export function newTally(): Tally {
  return { streams: 0, records: 0, last: undefined, stopped: 0, unfinished: { count: 0, first: [] } };
}

/** Checks all streams, one after the other, a page at a time, and counts into the tally. */
export async function walk(around: Surroundings, tally: Tally, onPage: () => void): Promise<void> {
  let check: StreamCheck | undefined;
  for await (const rows of chainPages(around.store)) {
    for (const row of rows) {
      if (check?.stream !== row.stream) {
        if (check) await endStream(check, around, tally);
        check = new StreamCheck(row.stream, around);
        tally.streams += 1;
      }
      const pending = check.take(row);
      if (pending) await pending;
      tally.records += 1;
    }
    tally.last = rows.map(recordId).at(-1);
    onPage();
  }
  if (check) await endStream(check, around, tally);
}

async function endStream(check: StreamCheck, { store }: Surroundings, tally: Tally): Promise<void> {
  if (check.stopped) tally.stopped += 1;
  const attempts = await store.unfinished(check.stream, check.settledTo);
  tally.unfinished.count += attempts.length;
  tally.unfinished.first.push(...attempts.slice(0, fewIds - tally.unfinished.first.length).map(recordId));
}
