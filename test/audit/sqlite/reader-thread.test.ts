import t from "tap";
import { ReaderThread } from "../../../src/audit/sqlite/reader-thread.ts";
import { SqliteRemote } from "../../../src/audit/sqlite/remote.ts";

/** A script whose thread opens, and ends when it is asked for anything. */
const script = (opening = "port.postMessage({ id: 0, result: {} })") =>
  new URL(
    `data:text/javascript,${encodeURIComponent(`
      import { parentPort as port } from "node:worker_threads";
      port.on("message", () => port.close());
      ${opening};
    `)}`,
  );

t.test("one thread for all, and another one when it has ended", async (t) => {
  const reader = new ReaderThread(script(), "/data/audit.db");
  const [one, same] = await Promise.all([reader.get(), reader.get()]);
  t.equal(one, same);
  await t.rejects(one.call("heads"), { message: "audit store /data/audit.db: its thread ended" });
  t.equal(one.isOver, true);
  const [other, again] = await Promise.all([reader.get(), reader.get()]);
  t.equal(other, again);
  t.not(other, one);
  t.equal(other.isOver, false);
  await reader.close();
  await t.rejects(reader.get(), { name: "StoreError", message: /it is closed/ });
});

t.test("one that runs already is taken", async (t) => {
  const { remote } = await SqliteRemote.open(script(), { path: "/data/audit.db", open: "read" });
  const reader = new ReaderThread(script(), "/data/audit.db", remote);
  t.equal(await reader.get(), remote);
  await reader.close();
  t.equal(remote.isOver, true);
});

t.test("a start that failed is tried again, and closing does not mind", async (t) => {
  const failing = 'port.postMessage({ id: 0, error: { message: "no", permanent: false } }); port.close()';
  const reader = new ReaderThread(script(failing), "/data/audit.db");
  await t.rejects(reader.get(), { name: "StoreError", message: "no" });
  await t.rejects(reader.get(), { name: "StoreError", message: "no" });
  await reader.close();
  const late = new ReaderThread(script(failing), "/data/audit.db");
  const got = late.get().catch((error: Error) => error.message);
  await late.close();
  t.equal(await got, "no");
});
