import { pino } from "pino";
import t from "tap";
import { StoreError } from "../../../src/audit/store.ts";
import { readerOf } from "../../../src/http/audit/reader.ts";
import { serializeError } from "../../../src/telemetry/logger.ts";

/** A reader over a store that always does the same, and what it logs. */
function reader(answer: () => Promise<never[]>) {
  const written: string[] = [];
  const log = pino(
    { serializers: { err: serializeError } },
    { write: (line: string) => void written.push(line) },
  );
  const { find, chain } = readerOf({ find: answer, chain: answer }, log);
  const calls = {
    find: () => find({}, { order: "newest_first", limit: 1 }),
    chain: () => chain(undefined, 1),
  };
  return { calls, lines: () => written.map((line) => JSON.parse(line)) };
}

t.test("rows pass", async (t) => {
  const { calls, lines } = reader(async () => []);
  t.strictSame(await calls.find(), []);
  t.strictSame(await calls.chain(), []);
  t.strictSame(lines(), []);
});

t.test("trouble of the store is answered as such; what the store says stays in the log", async (t) => {
  const words = "disk I/O error at /var/lib/secret-place";
  const answers = [
    () => Promise.reject(new StoreError(words)),
    () => {
      throw new StoreError(words);
    },
  ];
  for (const answer of answers) {
    const { calls, lines } = reader(answer);
    for (const name of ["find", "chain"] as const) {
      const error = await calls[name]().catch((caught) => caught);
      t.match(error, {
        name: "GatewayError",
        error: "audit_unavailable",
        message: "The audit store cannot be read now; repeat later.",
      });
      const line = lines().at(-1);
      t.match(line, { level: 50, event: "audit_unreadable", err: { type: "StoreError" } });
      t.match(line.err.stack, words);
    }
  }
});

t.test("a fault of our own stays what it is", async (t) => {
  const { calls, lines } = reader(() => Promise.reject(new TypeError("ours")));
  await t.rejects(calls.find(), new TypeError("ours"));
  await t.rejects(calls.chain(), new TypeError("ours"));
  t.strictSame(lines(), []);
});
