import { once } from "node:events";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import t from "tap";
import type { WorkerInput, WorkerReply } from "../../../src/audit/sqlite/worker.ts";
import type { Row } from "../../../src/audit/store.ts";
import { linkOf, Trail } from "../rows.ts";

const script = new URL("../../../src/audit/sqlite/worker.ts", import.meta.url);

/** Starts the worker; `ask` sends a request and gives the next reply. */
function start(t: { teardown(handler: () => unknown): void }, path: string, open: WorkerInput["open"]) {
  const worker = new Worker(script, { workerData: { path, open } });
  t.teardown(() => worker.terminate());
  const reply = async (): Promise<WorkerReply> => (await once(worker, "message"))[0];
  const ask = (request: unknown) => {
    const next = reply();
    worker.postMessage(request);
    return next;
  };
  return { worker, reply, ask };
}

t.test("a worker opens, answers by number, and ends when it is told to", async (t) => {
  const path = join(t.testdir(), "audit.db");
  const { worker, reply, ask } = start(t, path, "write");
  t.same(await reply(), { id: 0, result: { repairedBytes: 0, owned: true } });
  const trail = new Trail("a.1");
  const [first, second, third] = trail.rows(3) as [Row, Row, Row];
  t.same(await ask({ id: 5, method: "append", args: [[first], undefined] }), { id: 5, result: undefined });
  t.match(await ask({ id: 6, method: "append", args: [[third], linkOf(second)] }), {
    id: 6,
    error: { message: /lost records/, permanent: true },
  });
  t.match(await ask({ id: 7, method: "chain", args: [undefined, 10] }), { id: 7, result: [[1, "a.1", 1]] });
  t.same(await ask({ id: 8, method: "remove", args: [["2027-03"]] }), { id: 8, result: 1 });
  t.match(await ask({ id: 9, method: "nothing", args: [] }), { id: 9, error: { permanent: false } });
  worker.postMessage({ method: "close" });
  t.same(await once(worker, "exit"), [0]);
  t.notOk(existsSync(`${path}-wal`), "the file was closed");
});

t.test("a worker that cannot open says so and ends by itself", async (t) => {
  const { worker, reply } = start(t, join(t.testdir(), "audit.db"), "read");
  const ended = once(worker, "exit");
  t.match(await reply(), { id: 0, error: { message: /there is no such file/, permanent: true } });
  t.same(await ended, [0]);
});

t.test("on the main thread the script does nothing", async (t) => {
  t.same(Object.keys(await import("../../../src/audit/sqlite/worker.ts")), []);
});
