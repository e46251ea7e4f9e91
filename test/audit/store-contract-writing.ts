import type { Row } from "../../src/audit/store.ts";
import { StoreError } from "../../src/audit/store.ts";
import { linkOf, start, Trail } from "./rows.ts";
import { type Check, ids, newest, oldest, plain, seqs } from "./store-contract-place.ts";

/** The part of the contract that says: what is written is kept as it is, and nothing else is accepted. */
export function writingContract(check: Check): void {
  check("a new store is empty", async (t, open) => {
    const store = await open({ stream: "a.1" });
    t.equal(store.repairedBytes, 0);
    t.strictSame(await store.find({}, newest), []);
    t.strictSame(await store.chain(undefined, 10), []);
    t.strictSame(await store.heads(), []);
    t.strictSame(await store.unfinished("a.1", 0), []);
    t.equal(await store.prunable("9999-12"), undefined);
    t.equal(await store.remove(["2027-03"]), 0);
    t.strictSame(await store.damage(), []);
  });

  check("what was appended is read back, every column, also by the next process", async (t, open) => {
    const trail = new Trail("a.1");
    const first = trail.next({ kind: "opened", version: "1.2.3" });
    const attempt = trail.attempt("r1");
    const rows = [
      first,
      attempt,
      trail.outcome(attempt, {
        attempts: [
          { attempt: 1, class: "throttled", status: 429, logid: "log-b", ms: 3 },
          { attempt: 2, class: "lost", ms: 4 },
          { attempt: 3, class: "ok", status: 200, logid: "log-a", ms: 5 },
        ],
      }),
    ];
    const store = await open({ stream: "a.1" });
    await store.append(rows.slice(0, 1), undefined);
    await store.append(rows.slice(1), linkOf(first));
    const found = await store.find({}, oldest);
    t.strictSame(found.map(plain), rows);
    t.strictSame(found[2]?.logids, ["log-a", "log-b"]);
    const positions = found.map(({ position }) => position);
    t.ok(positions.every(Number.isSafeInteger));
    t.ok(positions.every((position, index) => index === 0 || position > (positions[index - 1] ?? 0)));
    await store.close();
    const next = await open({ stream: "a.2" });
    t.strictSame((await next.find({}, oldest)).map(plain), rows);
    await next.append([new Trail("a.2").next()], undefined);
    t.strictSame(ids(await next.find({}, newest)), ["a.2:1", "a.1:3", "a.1:2", "a.1:1"]);
  });

  check("a repeated batch changes nothing, also with rows that follow it", async (t, open) => {
    const rows = new Trail("a.1").rows(4);
    const store = await open({ stream: "a.1" });
    await store.append(rows.slice(0, 2), undefined);
    await store.append(rows.slice(0, 2), undefined);
    t.strictSame((await store.find({}, oldest)).map(plain), rows.slice(0, 2));
    await store.append(rows, undefined);
    await store.append(rows.slice(1), linkOf(rows[0] as Row));
    t.strictSame((await store.find({}, oldest)).map(plain), rows);
  });

  check(
    "another row in the place of one that is stored is refused, with its whole batch",
    async (t, open) => {
      const rows = new Trail("a.1").rows(2);
      const other = new Trail("a.1");
      const others = [rows[0] as Row, other.next({ time: start + 1 }), other.next()].slice(1);
      const store = await open({ stream: "a.1" });
      await store.append(rows, undefined);
      await t.rejects(store.append(others, undefined), StoreError);
      t.strictSame((await store.find({}, oldest)).map(plain), rows);
      const forged = { ...(rows[1] as Row), hash: "f".repeat(64) };
      const third = { ...forged, seq: 3 };
      await t.rejects(store.append([forged, third], linkOf(rows[0] as Row)), StoreError);
      t.strictSame((await store.find({}, oldest)).map(plain), rows);
    },
  );

  check("rows whose predecessor is not there are refused: the store has lost records", async (t, open) => {
    const rows = new Trail("a.1").rows(4);
    const store = await open({ stream: "a.1" });
    await store.append(rows.slice(0, 2), undefined);
    const lost = { name: "StoreError", permanent: true, message: /lost records/ };
    await t.rejects(store.append(rows.slice(3), linkOf(rows[2] as Row)), lost);
    const changed = { ...linkOf(rows[1] as Row), hash: "f".repeat(64) };
    await t.rejects(store.append(rows.slice(2), changed), lost);
    t.strictSame((await store.find({}, oldest)).map(plain), rows.slice(0, 2));
    await store.append(rows.slice(2), linkOf(rows[1] as Row));
    t.strictSame((await store.find({}, oldest)).map(plain), rows);
  });

  check("a reader sees what is written while it reads, and changes nothing", async (t, open) => {
    const missing = { name: "StoreError", permanent: true };
    await t.rejects(open({}), missing, "there is nothing to read yet");
    await t.rejects(open({}), missing, "and looking has made nothing");
    const rows = new Trail("a.1").rows(3);
    const store = await open({ stream: "a.1" });
    await store.append(rows.slice(0, 1), undefined);
    const reader = await open({});
    t.equal(reader.repairedBytes, 0);
    t.strictSame(seqs(await reader.find({}, oldest)), [1]);
    await store.append(rows.slice(1), linkOf(rows[0] as Row));
    t.strictSame((await reader.chain(undefined, 10)).map(plain), rows);
    await t.rejects(reader.append(new Trail("b.1").rows(1), undefined), StoreError);
    await t.rejects(reader.remove(["2027-03"]), StoreError);
    t.strictSame((await store.find({}, oldest)).map(plain), rows);
    t.strictSame(await reader.damage(), []);
    await store.close();
    t.strictSame((await reader.find({}, oldest)).map(plain), rows, "also when the writer is gone");
  });

  check("a closed store refuses everything", async (t, open) => {
    const store = await open({ stream: "a.1" });
    await store.close();
    await t.rejects(store.append(new Trail("a.1").rows(1), undefined), StoreError);
    await t.rejects(store.find({}, newest), StoreError);
    await t.rejects(store.chain(undefined, 1), StoreError);
    await store.close();
  });
}
