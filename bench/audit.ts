/**
 * What recording costs a mutating request: time for its attempt and its outcome to become durable, on both stores,
 * for 1, 8 and 64 callers at once, and how many requests share one flush.
 *
 *   npm run bench:audit                        SQLite in a temporary folder
 *   npm run bench:audit -- --requests 5000     longer
 *   npm run bench:audit -- --postgres URL      PostgreSQL too: a database of yours, which should be an empty one
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { pino } from "pino";
import { Audit } from "../src/audit/audit.ts";
import { newStream } from "../src/audit/chain.ts";
import { StoreConnection } from "../src/audit/connection.ts";
import { openStore } from "../src/audit/open-store.ts";
import { StoreUrl } from "../src/config/store-url.ts";

const { values } = parseArgs({
  options: {
    requests: { type: "string", default: "2000" },
    postgres: { type: "string" },
    "coze-ms": { type: "string", default: "5" },
  },
});
const requests = Number(values.requests);
const cozeMs = Number(values["coze-ms"]);

const percentile = (sorted: readonly number[], share: number) =>
  (sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN).toFixed(2);

async function measure(name: string, url: string, callers: number): Promise<void> {
  let flushes = 0;
  const stream = newStream("bench");
  const audit = new Audit({
    stream,
    connection: new StoreConnection(() => openStore({ url: new StoreUrl(url) }, { stream })),
    version: "bench",
    timeoutMs: 10_000,
    retentionDays: undefined,
    log: pino({ level: "warn" }),
    onStored: () => undefined,
    onFlush: () => {
      flushes++;
    },
    onFailure: () => undefined,
  });
  await audit.start(10_000);
  const attempts: number[] = [];
  const outcomes: number[] = [];
  let left = requests;
  const subject = {
    caller: "billing",
    credential_id: "5d41402abc4b2a76",
    operation: "delete_api_app",
    permission: "deleteApiApp",
    api_app_id: "7512345678901234567",
  };
  const attempt = { attempt: 1, class: "ok", status: 200, code: 0, ms: cozeMs };
  const caller = async () => {
    while (left-- > 0) {
      const startedAt = performance.now();
      const begun = await audit.trail.begin({ ...subject, request_id: crypto.randomUUID() }, true);
      attempts.push(performance.now() - startedAt);
      await sleep(cozeMs);
      const answeredAt = performance.now();
      const logid = `2027031012${Math.random().toString(36).slice(2)}`;
      await audit.trail.conclude(begun, { outcome: "done", status: 200, attempts: [{ ...attempt, logid }] });
      outcomes.push(performance.now() - answeredAt);
    }
  };
  flushes = 0;
  const cpu = process.cpuUsage();
  const startedAt = performance.now();
  await Promise.all(Array.from({ length: callers }, caller));
  const seconds = (performance.now() - startedAt) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  const perThousand = Math.round((flushes / requests) * 1000);
  await audit.close(5_000);
  for (const list of [attempts, outcomes]) list.sort((a, b) => a - b);
  process.stdout.write(
    `| ${name} | ${callers} | ${percentile(attempts, 0.5)} / ${percentile(attempts, 0.99)} | ` +
      `${percentile(outcomes, 0.5)} / ${percentile(outcomes, 0.99)} | ${perThousand} | ` +
      `${Math.round(requests / seconds)} | ${Math.round((user + system) / requests)} |\n`,
  );
}

const folder = await mkdtemp(join(tmpdir(), "bench-audit-"));
try {
  const stores: [string, string][] = [["SQLite", `sqlite:${join(folder, "audit.db")}`]];
  if (values.postgres) stores.push(["PostgreSQL", values.postgres]);
  process.stdout.write(
    `${requests} requests each, Coze stood in for by ${cozeMs} ms; times in ms, p50 / p99\n\n` +
      "| store | callers | attempt durable | outcome durable | flushes per 1,000 requests | requests/s | CPU us a request |\n" +
      "|---|---|---|---|---|---|---|\n",
  );
  for (const [name, url] of stores) for (const callers of [1, 8, 64]) await measure(name, url, callers);
} finally {
  await rm(folder, { recursive: true });
}
