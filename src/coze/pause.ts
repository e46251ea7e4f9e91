import { setTimeout as sleep } from "node:timers/promises";

/** Waits so many ms; false when the signal says that nobody waits any more, at once then. */
export async function pause(ms: number, signal: AbortSignal | undefined): Promise<boolean> {
  if (ms > 0) await sleep(ms, undefined, signal && { signal }).catch(() => undefined);
  return signal?.aborted !== true;
}
