import type { AuditFilter, StoredRow } from "../../src/audit/store.ts";
import { start, Trail } from "./rows.ts";
import { type Check, ids, newest, oldest, plain, seqs, write } from "./store-contract-place.ts";

/** The part of the contract that says: what is stored is found. */
export function readingContract(check: Check): void {
  check("a list is filtered by every column, alone and together", async (t, open) => {
    const trail = new Trail("a.1");
    const first = trail.attempt("r1");
    const second = trail.attempt("r2", {
      caller: "crm",
      credential_id: "fedcba9876543210",
      operation: "create_api_app",
      api_app_id: "7300000000000000002",
    });
    const retried = [
      { attempt: 1, class: "fault", status: 500, logid: "both", ms: 1 },
      { attempt: 2, class: "fault", status: 500, logid: "own", ms: 1 },
    ];
    const rows = [
      first,
      second,
      trail.outcome(first),
      trail.outcome(second, { caller: "crm", outcome: "unknown", attempts: retried }),
      trail.next({ kind: "refused", caller: "billing", attempts: retried.slice(0, 1) }),
    ];
    await write(open, rows);
    const store = await open({});
    const cases: readonly (readonly [AuditFilter, readonly number[]])[] = [
      [{}, [1, 2, 3, 4, 5]],
      [{ kind: "attempt" }, [1, 2]],
      [{ request_id: "r1" }, [1, 3]],
      [{ caller: "crm" }, [2, 4]],
      [{ credential_id: "0123456789abcdef" }, [1]],
      [{ credential_id: "fedcba9876543210" }, [2]],
      [{ credential_id: "billing" }, []],
      [{ operation: "create_api_app" }, [2]],
      [{ api_app_id: "7300000000000000002" }, [2]],
      [{ outcome: "unknown" }, [4]],
      [{ logid: "both" }, [4, 5]],
      [{ logid: "own" }, [4]],
      [{ logid: "none" }, []],
      [{ from: start + 3000 }, [4, 5]],
      [{ to: start + 3000 }, [1, 2, 3]],
      [{ from: start + 1000, to: start + 1001 }, [2]],
      [{ kind: "outcome", caller: "crm", outcome: "unknown", logid: "both", request_id: "r2" }, [4]],
      [{ caller: "billing", logid: "both", from: start, to: start + 9000 }, [5]],
      [{ caller: "crm", outcome: "done" }, []],
      [{ caller: "' OR true --" }, []],
    ];
    for (const [filter, expected] of cases) {
      t.strictSame(seqs(await store.find(filter, oldest)), expected, JSON.stringify(filter));
      t.strictSame(seqs(await store.find(filter, newest)), expected.toReversed(), JSON.stringify(filter));
    }
  });

  check("a list is read in pages, both ways", async (t, open) => {
    await write(open, new Trail("b.1").rows(4), new Trail("a.1").rows(3, { caller: "crm" }));
    const store = await open({});
    const all = await store.find({}, oldest);
    t.strictSame(ids(all), ["b.1:1", "b.1:2", "b.1:3", "b.1:4", "a.1:1", "a.1:2", "a.1:3"]);
    for (const limit of [1, 2, 3, 7]) {
      const up: StoredRow[] = [];
      const down: StoredRow[] = [];
      for (;;) {
        const page = await store.find({}, { order: "oldest_first", after: up.at(-1)?.position, limit });
        if (page.length === 0) break;
        t.ok(page.length <= limit);
        up.push(...page);
      }
      for (;;) {
        const before = down.at(-1)?.position;
        const page = await store.find({}, { order: "newest_first", before, limit });
        if (page.length === 0) break;
        t.ok(page.length <= limit);
        down.push(...page);
      }
      t.strictSame(up, all);
      t.strictSame(down, all.toReversed());
    }
    const crm = await store.find({ caller: "crm" }, { order: "newest_first", limit: 2 });
    t.strictSame(seqs(crm), [3, 2]);
    const rest = await store.find(
      { caller: "crm" },
      { order: "newest_first", before: crm[1]?.position, limit: 2 },
    );
    t.strictSame(seqs(rest), [1]);
  });

  check("chains are read stream by stream, in the order of bytes, from any point", async (t, open) => {
    const inOrder = ["B.1", "a-1", "a.1", "a.1.2", "a0", "aB", "a_1", "ab"];
    const stored = ["ab", "a.1", "aB", "B.1", "a_1", "a0", "a.1.2", "a-1"];
    const trails = stored.map((stream) => {
      const trail = new Trail(stream);
      const attempt = trail.attempt("r1");
      return [attempt, trail.outcome(attempt), ...trail.rows(2)];
    });
    await write(open, ...trails);
    const store = await open({});
    const expected = inOrder.flatMap((stream) => [1, 2, 3, 4].map((seq) => `${stream}:${seq}`));
    const all = await store.chain(undefined, 1000);
    t.strictSame(ids(all), expected);
    const byPosition = await store.find({}, oldest);
    t.strictSame(
      all.toSorted((one, other) => one.position - other.position),
      byPosition,
      "the rows are the same as in a list, logids too",
    );
    t.ok(all.some(({ logids }) => logids.length > 0));
    for (const limit of [1, 3, 5]) {
      const read: StoredRow[] = [];
      for (;;) {
        const page = await store.chain(read.at(-1), limit);
        if (page.length === 0) break;
        t.ok(page.length <= limit);
        read.push(...page);
      }
      t.strictSame(read, all, `in pages of ${limit}`);
    }
    t.strictSame(ids(await store.chain({ stream: "a.1", seq: 3 }, 3)), ["a.1:3", "a.1:4", "a.1.2:1"]);
    t.strictSame(ids(await store.chain({ stream: "a.1", seq: 5 }, 1)), ["a.1.2:1"]);
    t.strictSame(ids(await store.chain({ stream: "a/", seq: 1 }, 1)), ["a0:1"], "a stream that is not there");
    t.strictSame(await store.chain({ stream: "z", seq: 1 }, 1), []);
  });

  check("the head of each stream is its row with the highest seq", async (t, open) => {
    await write(open, new Trail("b.1").rows(3), new Trail("B.1").rows(1), new Trail("a.1").rows(12));
    const store = await open({});
    const heads = await store.heads();
    t.strictSame(ids(heads), ["B.1:1", "a.1:12", "b.1:3"]);
    t.strictSame(heads.map(plain)[0], new Trail("B.1").next());
  });
}
