import { join } from "node:path";
import { pino } from "pino";
import t, { type Test } from "tap";
import { Audit, type AuditParts } from "../../src/audit/audit.ts";
import { StoreConnection } from "../../src/audit/connection.ts";
import { openSqliteStore } from "../../src/audit/sqlite/store.ts";
import { type AuditStore, StoreError } from "../../src/audit/store.ts";
import { eventually } from "../config/eventually.ts";
import { linkOf, Trail } from "./rows.ts";
import { recordsOf, type TroubledStore, troubled } from "./troubled-store.ts";

const stream = "audit.1";
const longMs = 60_000;
/** Rounds without pause; a day and six hours never pass. */
const hurried = { round: 1, retry: 1, alive: 1e12, prune: 1e12 };

interface Given extends Partial<AuditParts> {
  /** Rows of other streams that stand in the store already. */
  readonly rows?: Parameters<AuditStore["append"]>[0];
  readonly open?: (store: TroubledStore) => Promise<AuditStore>;
}

/** An audit trail over a store of its own; `close` ends it and reads what it left. */
async function start(t: Test, { rows = [], open, ...given }: Given = {}) {
  const path = join(t.testdir(), "audit.db");
  const store = troubled(await openSqliteStore(path, { stream }));
  if (rows.length > 0) await store.append(rows, undefined);
  const lines: Record<string, unknown>[] = [];
  const told = { stored: 0, flushes: 0, failures: 0 };
  const audit = new Audit({
    stream,
    connection: new StoreConnection(async () => (open ? open(store) : store)),
    version: "1.2.3",
    timeoutMs: 400,
    retentionDays: undefined,
    log: pino({ base: null }, { write: (line) => void lines.push(JSON.parse(line)) }),
    onStored: () => {
      told.stored += 1;
    },
    onFlush: () => {
      told.flushes += 1;
    },
    onFailure: () => {
      told.failures += 1;
    },
    ...given,
  });
  const of = (event: string) => lines.filter((line) => line["event"] === event);
  const kinds = async () => (await recordsOf(store, stream)).map(({ kind }) => kind);
  /** Everything that stands in the store after the end. */
  const close = async () => {
    t.equal(await audit.close(longMs), 0);
    const reader = await openSqliteStore(path, {});
    const records = await recordsOf(reader, stream);
    await reader.close();
    return records;
  };
  return { audit, store, told, of, kinds, close };
}

t.test("a life: opened, usable, stopped", async (t) => {
  const { audit, told, of, close } = await start(t);
  t.ok(audit.trail.trouble);
  await audit.start(longMs);
  t.equal(audit.trail.trouble, undefined);
  t.match(of("audit_usable"), [{ stream }]);
  const records = await close();
  t.match(records, [{ kind: "opened", version: "1.2.3" }, { kind: "stopped" }]);
  t.equal(records.length, 2);
  t.notOk(records[0]?.follows, "there was no record before it");
  t.equal(told.stored, 2);
  t.equal(told.flushes, 2);
});

t.test("the first record names the newest one of the store, and what a crash left is told", async (t) => {
  const row = new Trail("dead.1").next();
  const { audit, close } = await start(t, {
    rows: [row],
    open: async (store) => ({ ...store, repairedBytes: 4096 }),
  });
  await audit.start(longMs);
  t.match(await close(), [
    { kind: "opened", follows: linkOf(row) },
    { kind: "repaired", repaired_bytes: 4096 },
    { kind: "stopped" },
  ]);
});

t.test("attempts of dead processes are closed before the start is over", async (t) => {
  const { audit, of, close } = await start(t, { rows: [new Trail("dead.1").attempt("r1")] });
  await audit.start(longMs);
  t.match(of("audit_closed"), [{ level: 40, attempts: 1 }]);
  const [, closed] = await close();
  t.match(closed, { kind: "closed", request_id: "r1", closes: { stream: "dead.1", seq: 1 } });
});

t.test("a store that opens only at the third try is waited for, then used", async (t) => {
  let tries = 0;
  const { audit, of, close } = await start(t, {
    open: async (store) => {
      if (++tries < 3) throw new StoreError("no such host");
      return store;
    },
    pace: { ...hurried, round: longMs },
  });
  await audit.start(longMs);
  t.equal(tries, 3);
  t.match(of("audit_housekeeping"), [{ problem: "no such host" }, { problem: "no such host" }]);
  t.equal(audit.trail.trouble, undefined);
  t.equal((await close()).length, 2);
});

t.test("a start does not wait longer than it is told to", async (t) => {
  const opening = Promise.withResolvers<void>();
  const { audit, close } = await start(t, {
    open: async (store) => {
      await opening.promise;
      return store;
    },
  });
  await audit.start(1);
  t.ok(audit.trail.trouble, "the store is not open still");
  opening.resolve();
  await eventually("the end of the trouble", () => audit.trail.trouble === undefined);
  t.match(await close(), [{ kind: "opened" }, { kind: "stopped" }]);
});

t.test("the store's failures are counted and logged, and housekeeping goes on", async (t) => {
  let failures = 2;
  const { audit, store, told, of, close } = await start(t, {
    pace: { ...hurried, alive: 0 },
    open: async (store) => ({
      ...store,
      heads: async () => {
        if (failures-- > 0) throw new StoreError("cannot be read");
        return store.heads();
      },
    }),
  });
  await audit.start(longMs);
  t.match(of("audit_housekeeping"), [
    { level: 50, problem: "cannot be read" },
    { problem: "cannot be read" },
  ]);
  store.beforeAppend = async () => {
    store.beforeAppend = async () => undefined;
    throw new Error("the disk is full");
  };
  await eventually("the failure", () =>
    of("audit_failure").some(({ problem }) => problem === "the disk is full"),
  );
  t.ok(told.failures > 0);
  const records = await close();
  t.equal(records.filter(({ kind }) => kind === "opened").length, 1, "begun once");
});

t.test("a sign of life is given when its time has come, and not before", async (t) => {
  const { audit, kinds, close } = await start(t, { pace: { ...hurried, alive: 0 } });
  await audit.start(longMs);
  await eventually("two signs", async () => (await kinds()).filter((kind) => kind === "alive").length >= 2);
  await close();
  const idle = await start(t, { pace: hurried });
  await idle.audit.start(longMs);
  t.match(await idle.close(), [{ kind: "opened" }, { kind: "stopped" }]);
});

t.test("old months are removed when the time for it has come", async (t) => {
  const old = new Trail("dead.1").rows(3, { time: Date.parse("2020-01-31T00:00:00Z") });
  const { audit, of, close } = await start(t, { rows: old, retentionDays: 30 });
  await audit.start(longMs);
  t.match(of("audit_pruned"), [{ records: 3 }]);
  t.match(await close(), [{ kind: "opened" }, { kind: "pruned", pruned_records: 3 }, { kind: "stopped" }]);
});

t.test("a pruning that failed is tried again in the next round, one that succeeded is not", async (t) => {
  const old = new Trail("dead.1").rows(3, { time: Date.parse("2020-01-31T00:00:00Z") });
  const asked: string[] = [];
  let rounds = 0;
  const { audit, of, close } = await start(t, {
    rows: old,
    retentionDays: 30,
    pace: hurried,
    open: async (store) => ({
      ...store,
      heads: async () => {
        rounds += 1;
        return store.heads();
      },
      prunable: async (before) => {
        asked.push(before);
        if (asked.length === 1) throw new StoreError("gone");
        return store.prunable(before);
      },
    }),
  });
  await audit.start(longMs);
  const after = rounds;
  await eventually("three more rounds", () => rounds > after + 3);
  t.equal(asked.length, 2);
  t.match(of("audit_pruned"), [{ records: 3 }]);
  await close();
});

t.test("a pruning that is not allowed is not tried again each round", async (t) => {
  const old = new Trail("dead.1").rows(3, { time: Date.parse("2020-01-31T00:00:00Z") });
  let removals = 0;
  let rounds = 0;
  const { audit, close } = await start(t, {
    rows: old,
    retentionDays: 30,
    pace: hurried,
    open: async (store) => ({
      ...store,
      heads: async () => {
        rounds += 1;
        return store.heads();
      },
      remove: async () => {
        removals += 1;
        throw new StoreError("run `audit prune` with the owner's role", { permanent: true });
      },
    }),
  });
  await audit.start(longMs);
  const after = rounds;
  await eventually("three more rounds", () => rounds > after + 3);
  t.equal(removals, 1);
  t.equal((await close()).filter(({ kind }) => kind === "pruned").length, 1);
});

t.test("a pruning that finds nothing says nothing", async (t) => {
  const { audit, of, close } = await start(t, { retentionDays: 30 });
  await audit.start(longMs);
  t.same(of("audit_pruned"), []);
  t.equal((await close()).length, 2);
});

t.test("closing what never came to a record leaves none", async (t) => {
  const { audit, kinds, store } = await start(t);
  t.equal(await audit.close(longMs), 0);
  t.strictSame(await kinds(), []);
  await store.close();
});

t.test("close while the store hangs ends, and says what was lost", async (t) => {
  const gate = Promise.withResolvers<void>();
  const { audit, store, of, kinds } = await start(t, {
    open: async (store) => ({ ...store, close: () => new Promise(() => undefined) }),
  });
  await audit.start(longMs);
  store.beforeAppend = () => gate.promise;
  t.equal(await audit.close(20), 1);
  t.match(of("audit_lost"), [{ level: 50, records: 1 }]);
  t.strictSame(await kinds(), ["opened"], "and the store hangs still");
  gate.resolve();
  await store.close();
});

t.test("close while the store cannot be opened ends", async (t) => {
  const { audit, store } = await start(t, { open: () => new Promise(() => undefined) });
  await audit.start(1);
  t.equal(await audit.close(20), 0);
  await store.close();
});
