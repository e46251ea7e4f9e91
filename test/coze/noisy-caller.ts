import { setTimeout as sleep } from "node:timers/promises";
import { parentPort, workerData } from "node:worker_threads";
import { Agent, request } from "undici";

/** What the thread is started with: it reads `url` with `key`, so often a second, whatever comes back. */
export interface NoisyOrders {
  readonly url: string;
  readonly key: string;
  readonly perSecond: number;
}

/** What it tells when it was asked to stop; it hangs up on the calls that have not ended by then. */
export interface NoisyReport {
  readonly seconds: number;
  readonly calls: number;
  /** How many of them ended in which way, `503 overloaded` for example. */
  readonly ends: Readonly<Record<string, number>>;
}

const { url, key, perSecond } = workerData as NoisyOrders;
const dispatcher = new Agent({ connections: 1024 });
const ends: Record<string, number> = {};

async function call(): Promise<void> {
  const reply = await request(url, { dispatcher, headers: { authorization: `Bearer ${key}` } });
  const body = (await reply.body.json()) as { gateway?: { error: string } };
  const end = `${reply.statusCode} ${body.gateway?.error ?? "ok"}`;
  ends[end] = (ends[end] ?? 0) + 1;
}

let stopping = false;
parentPort?.once("message", () => {
  stopping = true;
});
const calls: Promise<void>[] = [];
const startedAt = performance.now();
const seconds = () => (performance.now() - startedAt) / 1000;
while (!stopping) {
  while (calls.length < seconds() * perSecond) calls.push(call().catch(() => undefined));
  await sleep(5);
}
const report = { seconds: seconds(), calls: calls.length, ends: { ...ends } };
await dispatcher.destroy();
await Promise.all(calls);
parentPort?.postMessage(report satisfies NoisyReport);
