import t from "tap";
import { Journal } from "../../src/audit/journal.ts";
import { AuditTrail, now, type Subject } from "../../src/audit/trail.ts";
import { GatewayError } from "../../src/errors.ts";
import { eventually } from "../config/eventually.ts";
import { openStore, recordsOf, type TroubledStore, troubled } from "./troubled-store.ts";

const shared = await openStore(t, "trail");

const subjectOf = (request_id: string): Subject => ({
  request_id,
  caller: "billing",
  credential_id: "0123456789abcdef",
  operation: "delete_api_app",
  permission: "deleteApiApp",
  api_app_id: "7512345678901234567",
  subject: "alice@example.org",
  rule: "callers[0].grants[1]",
  policy_version: "v7",
});

const done = { outcome: "done", status: 200 } as const;
const forbidden = { outcome: "not_sent", status: 403, error: "forbidden" } as const;
let streams = 0;

/** A trail with a stream of its own; unless told otherwise the store is open already. */
async function start({ opened = true } = {}) {
  const stream = `trail.${++streams}`;
  const store = troubled(shared);
  const quiet = () => undefined;
  const journal = new Journal({
    stream,
    timeoutMs: 400,
    store: async () => store,
    onStored: quiet,
    onFlush: quiet,
    onFailure: quiet,
    onUsable: quiet,
  });
  if (opened) await journal.add({ ...now(), kind: "opened", version: "1" }).stored;
  /** What stands in the store of requests. */
  const records = async () => (await recordsOf(store, stream)).filter(({ kind }) => kind !== "opened");
  return { trail: new AuditTrail(journal, stream), journal, store, stream, records };
}

/** Lets each append wait until the result is called; then all that waits is stored. */
function block(store: TroubledStore): () => void {
  const gate = Promise.withResolvers<void>();
  store.beforeAppend = () => gate.promise;
  return gate.resolve;
}

const unavailable = (error: unknown) =>
  error instanceof GatewayError && error.error === "audit_unavailable" ? error.error : String(error);

t.test("a change: its attempt is stored when it begins, its outcome when it is concluded", async (t) => {
  const { trail, journal, stream, records } = await start();
  const subject = { ...subjectOf("r1"), fields: ["name"] };
  const begun = await trail.begin(subject, true);
  t.strictSame(begun, { subject, closes: { stream, seq: 2 } });
  t.match(await records(), [{ ...subject, kind: "attempt", seq: 2 }]);
  t.equal(journal.open, 1);
  const attempts = [{ attempt: 1, class: "ok", status: 200, code: 0, logid: "L1", ms: 3 }];
  t.equal(await trail.conclude(begun, { ...done, attempts }), true);
  const [, outcome, ...more] = await records();
  t.match(outcome, { ...subject, kind: "outcome", closes: begun.closes, ...done, attempts });
  t.strictSame(more, []);
  t.equal(journal.open, 0);
});

t.test("a create: the outcome names the app that came of it", async (t) => {
  const { trail, records } = await start();
  const begun = await trail.begin(subjectOf("r1"), true);
  await trail.conclude(begun, { ...done, api_app_id: "new", owner: "billing" });
  t.strictSame(
    (await records()).map(({ api_app_id, owner }) => `${api_app_id} ${owner}`),
    ["7512345678901234567 undefined", "new billing"],
  );
  t.strictSame(await shared.ownersOf(["new", "7512345678901234567"]), new Map([["new", "billing"]]));
});

t.test("a dry run says that it was one", async (t) => {
  const { trail, records } = await start();
  const begun = await trail.begin(subjectOf("r1"), false);
  await trail.conclude(begun, { outcome: "not_sent", status: 200, dry_run: true });
  t.match(await records(), [{ ...subjectOf("r1"), kind: "outcome", outcome: "not_sent", dry_run: true }]);
});

t.test("what changes nothing has one record, its outcome", async (t) => {
  const { trail, store, records } = await start();
  const begun = await trail.begin(subjectOf("r1"), false);
  t.strictSame(begun, { subject: subjectOf("r1") });
  t.equal(store.asked.length, 1, "beginning stored nothing");
  t.equal(await trail.conclude(begun, done), true);
  const [record, ...more] = await records();
  t.match(record, { kind: "outcome", request_id: "r1", outcome: "done" });
  t.notOk(record?.closes);
  t.strictSame(more, []);
});

t.test("a refusal is stored before it is told", async (t) => {
  const { trail, records } = await start();
  await trail.refuse(subjectOf("r1"), forbidden);
  t.match(await records(), [{ ...subjectOf("r1"), kind: "refused", ...forbidden }]);
});

t.test("in trouble whoever comes is refused at once, and nothing is put in line", async (t) => {
  const { trail, journal, store } = await start({ opened: false });
  t.equal(trail.trouble, "the store is not open yet");
  const all = [
    trail.begin(subjectOf("r1"), true),
    trail.begin(subjectOf("r2"), false),
    trail.refuse(subjectOf("r3"), forbidden),
  ];
  t.equal(journal.waiting, 0);
  for (const each of all) t.equal(await each.catch(unavailable), "audit_unavailable");
  t.equal(store.asked.length, 0);
});

t.test("the trouble is over when a record is stored", async (t) => {
  const { trail, journal } = await start({ opened: false });
  await journal.add({ ...now(), kind: "opened", version: "1" }).stored;
  t.equal(trail.trouble, undefined);
  t.ok((await trail.begin(subjectOf("r1"), true)).closes);
});

t.test("a change is refused while the store hangs; its late attempt gets an outcome", async (t) => {
  const { trail, journal, store, stream, records } = await start();
  const unblock = block(store);
  t.equal(await trail.begin(subjectOf("r1"), true).catch(unavailable), "audit_unavailable");
  t.strictSame(await records(), [], "the store hangs still");
  unblock();
  await eventually("the end of the trouble", () => journal.waiting + journal.open === 0);
  await eventually("both records", async () => (await records()).length === 2);
  t.match(await records(), [
    { kind: "attempt", seq: 2 },
    {
      ...subjectOf("r1"),
      kind: "outcome",
      closes: { stream, seq: 2 },
      outcome: "not_sent",
      status: 503,
      error: "audit_unavailable",
    },
  ]);
});

t.test("a change that did not come to its turn is taken back", async (t) => {
  const { trail, journal, store, records } = await start();
  const unblock = block(store);
  const first = trail.refuse(subjectOf("first"), forbidden).catch(unavailable);
  await eventually("the append", () => store.asked.length === 2);
  const second = trail.begin(subjectOf("second"), true).catch(unavailable);
  t.strictSame(await Promise.all([first, second]), ["audit_unavailable", "audit_unavailable"]);
  t.equal(journal.waiting, 0);
  unblock();
  await eventually("the first", async () => (await records()).length > 0);
  await journal.add({ ...now(), kind: "alive" }).stored;
  t.strictSame(
    (await records()).map(({ kind, request_id }) => [kind, request_id]),
    [
      ["refused", "first"],
      ["alive", undefined],
    ],
  );
});

t.test("an outcome that cannot be stored in time is kept, and stored in the end", async (t) => {
  const { trail, journal, store, records } = await start();
  const change = await trail.begin(subjectOf("change"), true);
  const read = await trail.begin(subjectOf("read"), false);
  const unblock = block(store);
  const told = await Promise.all([trail.conclude(change, done), trail.conclude(read, done)]);
  t.strictSame(told, [false, false], "and the store hangs still");
  t.equal((await records()).length, 1);
  await eventually("the trouble to be noticed", () => trail.trouble !== undefined);
  t.equal(await trail.conclude(read, done), false, "trouble is no reason to forget an outcome");
  unblock();
  await eventually("the outcomes", async () => (await records()).length === 4);
  t.equal(journal.open, 0);
});

t.test("no more is put in line than a bound, but for outcomes", async (t) => {
  const { trail, journal, records } = await start();
  const begun = await trail.begin(subjectOf("r1"), true);
  for (let index = 0; index < 10_000; index++) journal.add({ ...now(), kind: "alive" });
  const refused = trail.begin(subjectOf("r2"), true).catch(unavailable);
  t.equal(trail.trouble, undefined);
  t.equal(journal.waiting, 10_000);
  void trail.conclude(begun, done);
  t.equal(journal.waiting, 10_001);
  t.equal(await refused, "audit_unavailable");
  await journal.add({ ...now(), kind: "alive" }).stored;
  t.equal((await records()).length, 10_003);
});

t.test("both clocks are told in whole milliseconds", async (t) => {
  const { time, uptime_ms } = now();
  t.ok(Math.abs(Date.now() - time) < 86_400_000);
  t.ok(Number.isInteger(time) && Number.isInteger(uptime_ms));
});
