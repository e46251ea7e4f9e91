import { setTimeout as sleep } from "node:timers/promises";

/** Polls until the condition gives something true, and gives it; the bound only ends a test that would never end. */
export async function eventually<T>(
  what: string,
  condition: () => T | Promise<T>,
  boundMs = 60_000,
): Promise<T> {
  const end = performance.now() + boundMs;
  while (performance.now() < end) {
    const found = await condition();
    if (found) return found;
    await sleep(10);
  }
  throw new Error(`waited in vain: ${what}`);
}
