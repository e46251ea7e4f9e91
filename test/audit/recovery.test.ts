import t from "tap";
import { Chain } from "../../src/audit/chain.ts";
import { Journal } from "../../src/audit/journal.ts";
import { type RecoverableStore, Recovery } from "../../src/audit/recovery.ts";
import type { AuditStore, Row } from "../../src/audit/store.ts";
import { rowOf, Trail } from "./rows.ts";
import { type FolderAndTeardown, openStore, recordsOf } from "./troubled-store.ts";

const stream = "alive.1";

/** A store with the rows of dead processes, and the recovery of a living one. */
async function start(t: FolderAndTeardown, ...dead: readonly (readonly Row[])[]) {
  const store = await openStore(t, stream);
  for (const rows of dead) await store.append(rows, undefined);
  const quiet = () => undefined;
  const journal = new Journal({
    stream,
    timeoutMs: 60_000,
    store: async () => store,
    onStored: quiet,
    onFlush: quiet,
    onFailure: quiet,
    onUsable: quiet,
  });
  /** What the living process wrote: which attempt each record closes. */
  const closings = async () =>
    (await recordsOf(store, stream)).map(({ kind, outcome, closes }) => [
      kind,
      outcome,
      closes && `${closes.stream}:${closes.seq}`,
    ]);
  return { store, journal, recovery: new Recovery(journal, stream), closings };
}

/** The same store, which tells what is asked of it. */
function observed(store: AuditStore, change: Partial<RecoverableStore> = {}) {
  const asked: string[] = [];
  const note = (what: string, of: string) => void asked.push(`${what} ${of}`);
  const watched: RecoverableStore = {
    heads: () => store.heads(),
    claim: (of) => {
      note("claim", of);
      return store.claim(of);
    },
    release: (of) => {
      note("release", of);
      return store.release(of);
    },
    unfinished: (of, settledTo) => {
      note(`unfinished after ${settledTo}`, of);
      return store.unfinished(of, settledTo);
    },
    ...change,
  };
  return { store: watched, asked };
}

/** A stream with two attempts, of which only the first has its outcome. */
function diedWithOneOpen(name: string): Row[] {
  const trail = new Trail(name);
  const [opened, first] = [trail.next({ kind: "opened", version: "1" }), trail.attempt("r1")];
  const said = { subject: "alice@example.org", rule: "grants[0]", policy_version: "v7" };
  return [opened, first, trail.outcome(first), trail.attempt("r2", said)];
}

t.test(
  "attempts that dead processes left open are closed as unknown, with all that was known of them",
  async (t) => {
    const idle = new Trail("dead.2");
    const { store, journal, recovery, closings } = await start(
      t,
      diedWithOneOpen("dead.1"),
      idle.rows(2),
      diedWithOneOpen("dead.3"),
    );
    t.equal(await recovery.sweep(store), 2);
    t.strictSame(await closings(), [
      ["closed", "unknown", "dead.1:4"],
      ["closed", "unknown", "dead.3:4"],
    ]);
    t.match((await recordsOf(store, stream))[0], {
      request_id: "r2",
      caller: "billing",
      credential_id: "0123456789abcdef",
      operation: "delete_api_app",
      permission: "apps.delete",
      api_app_id: "7300000000000000001",
      subject: "alice@example.org",
      rule: "grants[0]",
      policy_version: "v7",
    });
    t.equal(journal.open, 0, "closings of other streams settle nothing of ours");
  },
);

t.test("the second sweep finds nothing to do, also that of another process", async (t) => {
  const { store, journal, recovery, closings } = await start(t, diedWithOneOpen("dead.1"));
  await recovery.sweep(store);
  const again = observed(store);
  t.equal(await recovery.sweep(again.store), 0);
  t.strictSame(again.asked, [], "what is settled is not even claimed");
  t.equal(await new Recovery(journal, stream).sweep(store), 0);
  t.equal((await closings()).length, 1);
});

t.test("the stream of this process is left alone", async (t) => {
  const { store, journal, recovery } = await start(t);
  await journal.add({ kind: "attempt", request_id: "ours", time: Date.now(), uptime_ms: 1 }).stored;
  const { store: watched, asked } = observed(store);
  t.equal(await recovery.sweep(watched), 0);
  t.strictSame(asked, []);
});

t.test(
  "a stream that lives, or that another process cares for, is left to it and asked for again",
  async (t) => {
    const { store, recovery, closings } = await start(t, diedWithOneOpen("dead.1"));
    const { store: busy, asked } = observed(store, { claim: async () => false });
    t.equal(await recovery.sweep(busy), 0);
    t.strictSame(asked, []);
    t.equal(await recovery.sweep(store), 1);
    t.equal((await closings()).length, 1);
  },
);

t.test("only what lies above settled_to is looked through", async (t) => {
  const chain = new Chain("dead.1");
  const draft = { kind: "alive", time: Date.now(), uptime_ms: 1 } as const;
  const { store, recovery } = await start(
    t,
    [0, 0, 2].map((settledTo) => rowOf(chain.seal(draft, settledTo))),
  );
  const { store: watched, asked } = observed(store);
  await recovery.sweep(watched);
  t.strictSame(asked, ["claim dead.1", "unfinished after 2 dead.1", "release dead.1"]);
});

t.test("a head or an attempt that cannot be read stops nothing", async (t) => {
  const trail = new Trail("dead.1");
  const rows = [
    trail.attempt("r1"),
    { ...trail.attempt("r2"), text: "{" },
    { ...trail.next(), text: "null" },
  ];
  const { store, recovery, closings } = await start(t, rows);
  t.equal(await recovery.sweep(store), 2);
  t.strictSame(await closings(), [
    ["closed", "unknown", "dead.1:1"],
    ["closed", "unknown", "dead.1:2"],
  ]);
  const [, unread] = await recordsOf(store, stream);
  t.notOk(unread?.request_id);
});

t.test("after an error the stream is let go of, and swept the next time", async (t) => {
  const { store, recovery, closings } = await start(t, diedWithOneOpen("dead.1"));
  const broken = observed(store, { unfinished: () => Promise.reject(new Error("gone")) });
  await t.rejects(recovery.sweep(broken.store), { message: "gone" });
  t.strictSame(broken.asked, ["claim dead.1", "release dead.1"]);
  t.equal(await recovery.sweep(store), 1);
  t.equal((await closings()).length, 1);
});

t.test("a stream that was only thought dead, and went on, is swept again", async (t) => {
  const trail = new Trail("dead.1");
  const { store, recovery, closings } = await start(t, [trail.attempt("r1")]);
  await recovery.sweep(store);
  const { head } = trail;
  await store.append([trail.attempt("r2")], head);
  t.equal(await recovery.sweep(store), 1);
  t.strictSame(await closings(), [
    ["closed", "unknown", "dead.1:1"],
    ["closed", "unknown", "dead.1:2"],
  ]);
});

t.test("many open attempts are closed in one go", async (t) => {
  const trail = new Trail("dead.1");
  const attempts = Array.from({ length: 700 }, (_, index) => trail.attempt(`r${index}`));
  const { store, recovery, closings } = await start(t, attempts);
  t.equal(await recovery.sweep(store), 700);
  t.strictSame(
    (await closings()).map(([, , closes]) => closes),
    attempts.map(({ seq }) => `dead.1:${seq}`),
  );
});
