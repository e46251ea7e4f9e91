import { once } from "node:events";
import type { ServerResponse } from "node:http";
import t, { type Test } from "tap";
import { StoreError } from "../../../src/audit/store.ts";
import { askExport, auditPath, openStore, serveAudit, settled, watched } from "./app.ts";

const asLines = { accept: "application/x-ndjson" };
const fields = Array.from({ length: 20 }, (_, index) => `field_${index}_${"x".repeat(110)}`);

/** Some 40 MB of records, in 32 pages of the store. */
const records = 16_000;
const { store, trail, append } = await openStore(t);
for (let batch = 0; batch < 16; batch += 1) await append(trail.rows(records / 16, { fields }));

/** The routes over that store, which is watched, and the replies as the server holds them. */
async function serve(
  t: Test,
  before?: Parameters<typeof watched>[1],
  onRead?: Parameters<typeof serveAudit>[2],
) {
  const { reader, seen } = watched(store, before);
  const served = await serveAudit(t, reader, onRead);
  const responses: ServerResponse[] = [];
  served.app.server.on("request", (_, response) => void responses.push(response));
  return { seen, responses, ...served };
}

t.test("an export whose store fails before the first byte is an ordinary error", async (t) => {
  const { get } = await serve(t, (call) => {
    if (call === 2) throw new StoreError("gone");
  });
  const reply = await get(auditPath, asLines);
  t.equal(reply.status, 503);
  t.match(await reply.json(), { gateway: { error: "audit_unavailable" } });
});

t.test("an export whose store fails half way cannot be taken for a whole one", async (t) => {
  const { get, port, keys, lines, reads, requests, seen } = await serve(t, () => {
    if (seen.calls > 0 && seen.calls % 5 === 0) throw new StoreError("gone");
  });
  const reply = await get(auditPath, asLines);
  t.equal(reply.status, 200);
  await t.rejects(reply.text());
  t.match(lines(), [{ event: "audit_unreadable" }, { event: "export_cut", err: { type: "GatewayError" } }]);
  t.equal(requests[0]?.failure, "audit_unavailable", "so says the line of the request, and its metric");
  // Over HTTP/1.0 the end of the connection is all that a client can see.
  const socket = askExport(port, keys.auditor, "1.0");
  let received = 0;
  socket.on("data", (chunk) => {
    received += chunk.length;
  });
  const [error] = await once(socket, "error");
  t.equal(error.code, "ECONNRESET");
  t.ok(received < 40_000_000);
  t.equal(lines().length, 4);
  t.equal(reads.length, 2);
});

t.test("a reader that is slow holds the store back, and still gets everything", async (t) => {
  const { port, keys, seen, responses } = await serve(t);
  const socket = askExport(port, keys.auditor);
  socket.pause();
  await once(socket, "connect");
  // The beginning, then nothing: the buffers on the way fill up.
  while (seen.calls < 2) await store.find({}, { order: "newest_first", limit: 1 });
  const pages = await settled(() => seen.calls, store);
  t.ok(pages <= 16, `${pages} of 33 reads while nobody takes what was read`);
  const [response] = responses;
  t.equal(response?.writableNeedDrain, true);
  t.ok(
    (response?.writableLength ?? Number.POSITIVE_INFINITY) < 512 * 1024,
    `${response?.writableLength} bytes wait`,
  );
  let received = 0;
  let end = "";
  socket.setEncoding("latin1");
  socket.on("data", (chunk: string) => {
    const text = end + chunk;
    received += text.split('{"id":"a.1:').length - 1;
    end = text.slice(-10);
  });
  socket.resume();
  await once(socket, "close");
  t.equal(received, records);
  t.match(end, /\r\n0\r\n\r\n$/);
});

t.test("when the caller hangs up, the store is left alone", async (t) => {
  const { port, keys, seen, responses, lines } = await serve(t);
  const socket = askExport(port, keys.auditor);
  await once(socket, "data");
  socket.destroy();
  const [response] = responses;
  if (response?.closed === false) await once(response, "close");
  const pages = await settled(() => seen.calls, store);
  t.ok(pages <= 16, `${pages} of 33 reads`);
  t.strictSame(lines(), [], "which is no error");
});

t.test("when the caller hangs up before the first byte, nothing goes on", async (t) => {
  const { promise: asked, resolve: isAsked } = Promise.withResolvers<void>();
  const { promise: recorded, resolve: record } = Promise.withResolvers<void>();
  const { port, keys, seen, responses, lines, get } = await serve(t, undefined, async () => {
    isAsked();
    await recorded;
  });
  const socket = askExport(port, keys.auditor);
  await asked;
  socket.destroy();
  const [response] = responses;
  if (response?.closed === false) await once(response, "close");
  record();
  t.equal(await settled(() => seen.calls, store), 2);
  t.strictSame(lines(), []);
  t.equal((await get(`${auditPath}?page_size=1`)).status, 200);
});
