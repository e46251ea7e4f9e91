import type { Row, StoredRow } from "../../src/audit/store.ts";
import { linkOf, Trail } from "./rows.ts";
import { type Check, ids, newest, oldest, plain, seqs, write } from "./store-contract-place.ts";

/** The part of the contract that says: recovery and retention find what they need, and remove what they should. */
export function retentionContract(check: Check): void {
  check("attempts that no row closes are unfinished, whoever might have closed them", async (t, open) => {
    const dead = new Trail("a.1");
    const attempts = ["r1", "r2", "r3", "r4"].map((id) => dead.attempt(id));
    const [first, second, third] = attempts as [Row, Row, Row];
    await write(open, [...attempts, dead.outcome(second), dead.next()]);
    const store = await open({ stream: "a.2" });
    t.strictSame(seqs(await store.unfinished("a.1", 0)), [1, 3, 4]);
    t.strictSame(seqs(await store.unfinished("a.1", 1)), [3, 4]);
    t.strictSame(seqs(await store.unfinished("a.1", 4)), []);
    t.strictSame(plain((await store.unfinished("a.1", 0))[0] as StoredRow), first);
    t.strictSame(await store.unfinished("a.2", 0), []);
    t.strictSame(await store.unfinished("nobody", 0), []);
    const heir = new Trail("a.2");
    const own = heir.attempt("r5");
    const closes = { stream: "a.1", seq: third.seq };
    await store.append([own, heir.next({ kind: "closed", closes, outcome: "unknown" })], undefined);
    t.strictSame(seqs(await store.unfinished("a.1", 0)), [1, 4]);
    t.strictSame(
      ids(await store.unfinished("a.2", 0)),
      ["a.2:1"],
      "the other stream's seq 3 is not this one's",
    );
  });

  check("a stream whose process ended can be claimed; the own one cannot", async (t, open) => {
    await write(open, new Trail("a.1").rows(1));
    const store = await open({ stream: "a.2" });
    t.equal(await store.claim("a.2"), false);
    t.equal(await store.claim("a.1"), true);
    await store.release("a.1");
    t.equal(await store.claim("a.1"), true);
    await store.release("a.1");
  });

  check("whole months are removed, and where the chains go on is told", async (t, open) => {
    const month = (name: string) => Date.parse(`${name}-15T00:00:00.000Z`);
    const one = new Trail("a.1");
    const early = one.rows(2, { time: month("2027-01") });
    const middle = one.rows(3, { time: month("2027-02") });
    const late = one.rows(1, { time: month("2027-03") });
    const gone = new Trail("b.1").rows(2, { time: month("2027-01") });
    const two = new Trail("c.1").rows(2, { time: month("2027-02") });
    const attempts = [{ attempt: 1, class: "ok", logid: "l1", ms: 1 }];
    const three = new Trail("d.1").rows(1, { time: month("2027-03"), attempts });
    await write(open, [...early, ...middle, ...late], gone, two, three);
    const store = await open({ stream: "e.1" });
    const highest = (await store.find({}, newest))[0]?.position ?? 0;

    t.equal(await store.prunable("2027-01"), undefined);
    t.strictSame(await store.prunable("2027-02"), {
      segments: ["2027-01"],
      records: 4,
      checkpoints: [linkOf(early[1] as Row), linkOf(gone[1] as Row)],
    });
    t.equal(await store.remove(["2027-01"]), 4);
    t.equal(await store.remove(["2027-01"]), 0);
    t.strictSame(ids(await store.chain(undefined, 3)), ["a.1:3", "a.1:4", "a.1:5"]);
    t.equal(await store.prunable("2027-02"), undefined);

    t.strictSame(await store.prunable("2027-03"), {
      segments: ["2027-02"],
      records: 5,
      checkpoints: [linkOf(middle[2] as Row), linkOf(two[1] as Row)],
    });
    await store.remove(["2027-02"]);
    t.strictSame(ids(await store.chain(undefined, 10)), ["a.1:6", "d.1:1"]);

    const later = new Trail("e.1").rows(2, { time: month("2027-03"), attempts });
    await store.append(later, undefined);
    t.strictSame(await store.prunable("2027-04"), {
      segments: ["2027-03"],
      records: 4,
      checkpoints: [linkOf(late[0] as Row), linkOf(three[0] as Row), linkOf(later[1] as Row)],
    });
    t.equal(await store.remove(["2027-02", "2027-03"]), 4);
    t.strictSame(await store.find({}, oldest), []);
    t.strictSame(await store.find({ logid: "l1" }, oldest), []);
    t.strictSame(await store.damage(), []);
    await store.close();

    const last = await open({ stream: "f.1" });
    await last.append(new Trail("f.1").rows(1), undefined);
    const position = (await last.find({}, oldest))[0]?.position ?? 0;
    t.ok(position > highest + 2, "no position is given twice");
  });

  check("a stream that lost records in an earlier removal is not named again", async (t, open) => {
    const month = (name: string) => Date.parse(`${name}-15T00:00:00.000Z`);
    const one = new Trail("a.1");
    const early = one.rows(2, { time: month("2027-01") });
    const rest = one.rows(2, { time: month("2027-09") });
    const two = new Trail("b.1").rows(2, { time: month("2027-02") });
    await write(open, [...early, ...rest], two);
    const store = await open({ stream: "c.1" });
    await store.remove(["2027-01"]);
    t.strictSame(await store.prunable("2027-03"), {
      segments: ["2027-02"],
      records: 2,
      checkpoints: [linkOf(two[1] as Row)],
    });
  });
}
