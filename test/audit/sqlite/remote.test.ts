import t from "tap";
import { SqliteRemote } from "../../../src/audit/sqlite/remote.ts";

/** Opens a remote whose thread runs the code when it has opened; `port` and `workerData` are there. */
function open(
  code: string,
  opening = "port.postMessage({ id: 0, result: { repairedBytes: 7, owned: true } })",
) {
  const script = `
    import { parentPort as port, workerData } from "node:worker_threads";
    ${opening};
    ${code};
  `;
  return SqliteRemote.open(new URL(`data:text/javascript,${encodeURIComponent(script)}`), {
    path: "/data/audit.db",
    open: "read",
  });
}

const whenClosed = 'port.on("message", ({ method }) => { if (method === "close") port.close(); })';

t.test("opening tells what the thread told, and what it was given", async (t) => {
  const { remote, repairedBytes, owned } = await open(whenClosed);
  t.equal(repairedBytes, 7);
  t.equal(owned, true);
  await remote.close();
  const failing =
    "port.postMessage({ id: 0, error: { message: JSON.stringify(workerData), permanent: true } })";
  await t.rejects(open("", failing), {
    name: "StoreError",
    permanent: true,
    message: '{"path":"/data/audit.db","open":"read"}',
  });
});

t.test("replies find who asked, in whatever order they come", async (t) => {
  const { remote } = await open(`
    const asked = [];
    ${whenClosed};
    port.on("message", (request) => {
      if (asked.push(request) < 3) return;
      port.postMessage({ id: asked[2].id, result: [asked[2].method] });
      port.postMessage({ id: asked[0].id, error: { message: asked[0].args[0], permanent: false } });
      port.postMessage({ id: 99, result: "nobody asked" });
      port.postMessage({ id: 98, error: { message: "nobody asked", permanent: false } });
      port.postMessage({ id: asked[1].id, result: asked[1].args });
    })
  `);
  const replies = await Promise.allSettled([
    remote.call("prunable", "no"),
    remote.call("remove", ["2027-01"]),
    remote.call("damage"),
  ]);
  t.match(replies, [
    { status: "rejected", reason: { name: "StoreError", message: "no", permanent: false } },
    { status: "fulfilled", value: [["2027-01"]] },
    { status: "fulfilled", value: ["damage"] },
  ]);
  await remote.close();
});

t.test("closing lets the thread do what it was asked before, and then nothing more", async (t) => {
  const { remote } = await open(`
    port.on("message", async ({ id, method }) => {
      if (method === "close") return setTimeout(() => port.close(), 50);
      if (method === "damage") port.postMessage({ id, result: ["done"] });
    })
  `);
  const done = remote.call("damage");
  const never = remote.call("remove", []);
  const closed = remote.close();
  const refusal = {
    name: "StoreError",
    permanent: true,
    message: "audit store /data/audit.db: it is closed",
  };
  await t.rejects(remote.call("damage"), refusal);
  t.same(await done, ["done"]);
  await t.rejects(never, refusal);
  await closed;
  await t.rejects(remote.call("damage"), refusal);
  await remote.close();
});

t.test("a thread that ends rejects what was asked and all that is asked later", async (t) => {
  const { remote } = await open('port.once("message", () => process.exit(3))');
  const refusal = {
    name: "StoreError",
    permanent: true,
    message: "audit store /data/audit.db: its thread ended",
  };
  const asked = remote.call("heads");
  await t.rejects(asked, refusal);
  await t.rejects(remote.call("heads"), refusal);
  await remote.close();
});

t.test("a thread that fails says why", async (t) => {
  const { remote } = await open('port.once("message", () => { throw new Error("out of luck"); })');
  const refusal = { permanent: true, message: /audit\.db: its thread failed: Error: out of luck/ };
  await Promise.all([t.rejects(remote.call("heads"), refusal), t.rejects(remote.call("damage"), refusal)]);
  await t.rejects(remote.call("heads"), refusal);
  await remote.close();
});

t.test("a thread that never opens", async (t) => {
  await t.rejects(open("", 'throw new Error("no such module")'), {
    name: "StoreError",
    permanent: true,
    message: /its thread failed: Error: no such module/,
  });
});
