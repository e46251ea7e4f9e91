import { StoreError } from "../store.ts";
import { AnchorCheck } from "./anchors.ts";
import { type Fault, Findings } from "./findings.ts";
import type { Surroundings } from "./links.ts";
import { Prunings } from "./prunings.ts";
import { newTally, type Tally, walk } from "./walk.ts";

/** What a verification takes besides the store. */
export interface VerifyOptions {
  /** Lines of the gateways' logs. */
  readonly anchors?: AsyncIterable<string> | undefined;
  /** Told again and again how far it has come. */
  readonly onProgress?: ((progress: Progress) => void) | undefined;
}

/** How far a verification has come. */
export interface Progress {
  readonly anchors: number;
  readonly streams: number;
  readonly records: number;
}

/** What a verification found. The trail is whole when there are no faults. */
export interface VerifyReport extends Progress, Readonly<Pick<Tally, "stopped" | "unfinished">> {
  readonly faults: readonly Fault[];
  /** Lines that look like anchors, but cannot be read. */
  readonly unreadableLines: number;
  /** Prunings without which records would be missing. Without an anchor, only a person can say whether they were. */
  readonly prunings: readonly {
    readonly id: string;
    readonly months: readonly string[];
    readonly anchored: boolean;
  }[];
}

/**
 * Proves that nobody changed the trail, or says where somebody did, in constant memory; records may be added and
 * pruned meanwhile. Without anchors it cannot see that the newest records were cut off, or a chain was made anew.
 */
export async function verify(
  store: Surroundings["store"],
  { anchors: lines, onProgress }: VerifyOptions = {},
): Promise<VerifyReport> {
  const around = { store, prunings: new Prunings(store), findings: new Findings() };
  const anchors = new AnchorCheck(around);
  const tally = newTally();
  const progress = () => ({ anchors: anchors.checked, streams: tally.streams, records: tally.records });
  const tell = () => onProgress?.(progress());
  try {
    for (const what of await store.damage()) around.findings.add("damaged", { what });
    if (lines) await anchors.take(lines, tell);
    await walk(around, tally, tell);
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    const upTo = tally.last === undefined ? "" : `, checked up to ${tally.last}`;
    around.findings.add("damaged", { what: `the store cannot be read on${upTo}: ${error.message}` });
  }
  return {
    ...progress(),
    faults: around.findings.list(),
    unreadableLines: anchors.unreadableLines,
    stopped: tally.stopped,
    unfinished: tally.unfinished,
    prunings: around.prunings.used.map(({ id, months }) => ({ id, months, anchored: anchors.knows(id) })),
  };
}
