import { setTimeout as sleep } from "node:timers/promises";
import t, { type Test } from "tap";
import { mintKey } from "../../src/callers/key.ts";
import { eventually } from "../config/eventually.ts";
import { startGateway, startSandbox, type TestReply } from "../helpers/gateway.ts";
import { envelope, startMisbehavingServer, wireReply } from "../helpers/misbehaving-server.ts";
import { skipOwn, startOwnPostgres } from "../helpers/postgres.ts";
import { startDisk } from "./disk.ts";
import { endsOfAttempts, type Inspection, inspect, recordsOfRequest } from "./inspect.ts";
import { needsMount, postgresTroubles, sqliteTroubles, type Troubled } from "./troubles.ts";

// A troubled store is looked for again and again; slow machines need their time for that.
t.setTimeout(600_000);

/** No time limit of the gateway ends what a test holds up. */
const patient = { REQUEST_TIMEOUT_MS: "60000", ATTEMPT_TIMEOUT_MS: "60000" };

let ids = 0;

/** A gateway over the store, a caller who may do nothing besides `tester`, and calls that can be told apart. */
async function startOver(t: Test, { url: store }: Troubled, coze: string) {
  const powerless = { id: "powerless", key: mintKey("powerless"), grants: [] };
  const gateway = await startGateway(t, coze, { AUDIT_STORE: store, AUDIT_TIMEOUT_MS: "400", ...patient }, [
    powerless,
  ]);
  /** One call with a request id of its own, and how long its reply took. */
  const timed = async (method: string, path: string, headers: Record<string, string> = {}) => {
    const id = `fail-closed-${++ids}`;
    const startedAt = performance.now();
    const reply = await gateway.call(method, path, undefined, { "x-request-id": id, ...headers });
    return { ...reply, id, ms: Math.round(performance.now() - startedAt) };
  };
  /** A change, each to an app of its own, which Coze does not know. */
  const change = () => timed("DELETE", `/v1/api_apps/app-${ids}`);
  const read = () => timed("GET", "/v1/api_apps");
  const refused = () => timed("DELETE", "/v1/api_apps/app-0", { authorization: `Bearer ${powerless.key}` });
  const log = () => gateway.text().split("\n");
  return { ...gateway, change, read, refused, log };
}

type Started = Awaited<ReturnType<typeof startOver>>;

/** What both ports say of whether the gateway can serve. */
async function readiness({ gateway, url }: Started) {
  const own = await fetch(`${url}/readyz`);
  const admin = await gateway.admin.inject("/readyz");
  return [own.status, await own.json(), admin.statusCode, admin.json()];
}

const notReady = { status: "not ready", checks: { token: true, audit: false } };
const ready = { status: "ok", checks: { token: true, audit: true } };

/** What a request gets that was not done for want of a record. `outcome` is said of changes only. */
function isUnavailable(t: Test, { status, body, headers }: TestReply, outcome?: "not_sent"): void {
  t.match({ status, body }, { status: 503, body: { code: 503005, gateway: { error: "audit_unavailable" } } });
  t.equal(body.gateway.outcome, outcome);
  t.equal(headers.get("retry-after"), "2");
}

/** Calls until one is answered by Coze, and gives the ids of those before. */
async function untilServed(
  gateway: Started,
): Promise<{ readonly served: string; readonly before: string[] }> {
  const before: string[] = [];
  const served = await eventually("a change that Coze answers", async () => {
    const { status, id } = await gateway.change();
    if (status === 404) return id;
    before.push(id);
    // A caller that obeys Retry-After would wait longer.
    return sleep(50, undefined);
  });
  return { served: String(served), before };
}

/** No change reaches Coze while the trouble lasts, and all is as before when it is over. */
async function nothingUnrecorded(t: Test, troubled: Troubled): Promise<void> {
  const { url: coze, sandbox } = await startSandbox(t);
  const gateway = await startOver(t, troubled, coze);
  const first = await gateway.change();
  t.equal(first.status, 404, "Coze does not know the app");
  t.match(await readiness(gateway), [200, ready, 200, ready]);
  const seen = sandbox.calls.length;

  await troubled.begin();
  const changes = await Promise.all(Array.from({ length: 8 }, gateway.change));
  t.match(await readiness(gateway), [503, notReady, 503, notReady]);
  const late = [await gateway.change(), await gateway.change()];
  const reads = [await gateway.read(), await gateway.read()];
  const refusals = [await gateway.refused(), await gateway.refused()];
  for (const reply of [...changes, ...late, ...refusals]) isUnavailable(t, reply, "not_sent");
  for (const reply of reads) isUnavailable(t, reply);
  t.equal(sandbox.calls.length, seen, "Coze saw nothing");
  t.match(await readiness(gateway), [503, notReady, 503, notReady]);

  await troubled.end();
  const { served, before } = await untilServed(gateway);
  t.match(await readiness(gateway), [200, ready, 200, ready]);
  t.equal((await gateway.read()).status, 200);
  t.equal((await gateway.refused()).status, 403);

  const trail = await inspect(troubled.url, gateway.log());
  t.strictSame(trail.report.faults, []);
  t.equal(trail.report.unfinished.count, 0);
  const notSent = [...changes, ...late].map(({ id }) => id).concat(before);
  const kept = notSent.map((id) => recordsOfRequest(trail, id)).filter(({ length }) => length > 0);
  t.not(kept.length, 0, "at least one was on its way into the store");
  for (const records of kept) {
    t.match(records, [
      { kind: "attempt" },
      { kind: "outcome", outcome: "not_sent", error: "audit_unavailable", status: 503 },
    ]);
    t.equal(records.length, 2);
  }
  for (const id of [first.id, served])
    t.match(recordsOfRequest(trail, id), [{ kind: "attempt" }, { kind: "outcome", outcome: "refused" }]);
  for (const { ends } of endsOfAttempts(trail.records)) t.equal(ends.length, 1);

  const ms = [...changes, ...late, ...reads, ...refusals].map((reply) => reply.ms);
  t.comment(
    `503 after at most ${Math.max(...changes.map((reply) => reply.ms))} ms at the beginning, then ` +
      `${Math.min(...ms)} to ${Math.max(...[...late, ...reads, ...refusals].map((reply) => reply.ms))} ms; ` +
      `usable again after ${before.length} more refusals`,
  );
}

const secret = "what-coze-said";

/** What Coze said is withheld when it cannot be recorded, and recorded when that is possible again. */
async function nothingUnrecordedIsTold(t: Test, troubled: Troubled): Promise<void> {
  const held: (() => void)[] = [];
  const coze = await startMisbehavingServer(t, (socket, { method, target }) => {
    const headers = { "x-tt-logid": `logid-${method}` };
    const answer = () => void socket.write(wireReply(200, envelope(0, { secret, target }), headers));
    held.push(answer);
  });
  const gateway = await startOver(t, troubled, coze.url);
  const underWay = [gateway.change(), gateway.change(), gateway.read()] as const;
  await eventually("three calls at Coze", () => held.length === 3);

  await troubled.begin();
  const answeredAt = performance.now();
  for (const answer of held) answer();
  const [one, other, read] = await Promise.all(underWay);
  const ms = Math.round(performance.now() - answeredAt);
  t.match(await readiness(gateway), [503, notReady, 503, notReady]);
  for (const { status, body, headers, text } of [one, other, read]) {
    t.match(
      { status, body },
      { status: 500, body: { code: 500002, gateway: { error: "audit_incomplete" } } },
    );
    t.match(headers.get("x-tt-logid"), /^logid-(DELETE|GET)$/);
    t.equal(body.detail.logid, headers.get("x-tt-logid"));
    t.notMatch(text, secret);
  }
  t.strictSame(
    [one, other, read].map(({ body }) => body.gateway.outcome),
    ["unknown", "unknown", undefined],
  );
  t.equal(coze.requests.length, 3, "and nothing is sent a second time");

  await troubled.end();
  const trail = (await eventually("three outcomes that are stored without any further call", async () => {
    // A store in trouble may not be readable either.
    const found = await inspect(troubled.url, gateway.log()).catch(() => undefined);
    const outcomes = [one, other, read].flatMap(({ id }) => (found ? recordsOfRequest(found, id) : []));
    return outcomes.filter(({ kind }) => kind === "outcome").length >= 3 && found;
  })) as Inspection;
  await eventually("readiness", async () => (await readiness(gateway))[0] === 200);
  for (const { id } of [one, other])
    t.strictSame(
      recordsOfRequest(trail, id).map(({ kind, outcome, attempts }) => [kind, outcome, attempts?.[0]?.logid]),
      [
        ["attempt", undefined, undefined],
        ["outcome", "done", "logid-DELETE"],
      ],
    );
  t.match(recordsOfRequest(trail, read.id), [{ kind: "outcome", outcome: "done" }]);
  t.equal(recordsOfRequest(trail, read.id).length, 1);
  t.strictSame((await inspect(troubled.url, gateway.log())).report.faults, []);
  t.comment(`500 at most ${ms} ms after Coze answered`);
}

const rules = {
  "nothing is done that cannot be recorded": nothingUnrecorded,
  "nothing is told that is not recorded": nothingUnrecordedIsTold,
};

t.test("SQLite", async (t) => {
  for (const [trouble, prepare] of Object.entries(sqliteTroubles)) {
    await t.test(trouble, async (t) => {
      for (const [rule, holds] of Object.entries(rules)) {
        await t.test(rule, async (t) => {
          const troubled = await prepare(t);
          if (typeof troubled === "string") t.plan(0, troubled);
          else await holds(t, troubled);
        });
      }
    });
  }

  await t.test("a start on a disk that is read-only", async (t) => {
    const disk = startDisk(t);
    if (!disk) return void t.plan(0, needsMount);
    disk.remount("ro");
    await comesUpLater(t, {
      url: `sqlite:${disk.folder}/audit.db`,
      begin: () => {},
      end: () => disk.remount("rw"),
    });
  });
});

t.test("PostgreSQL", { skip: skipOwn }, async (t) => {
  const postgres = await startOwnPostgres(t);
  for (const [trouble, prepare] of Object.entries(postgresTroubles)) {
    await t.test(trouble, async (t) => {
      for (const [rule, holds] of Object.entries(rules)) {
        await t.test(rule, async (t) => {
          const troubled = await prepare({ t, postgres });
          if (typeof troubled === "string") t.plan(0, troubled);
          else await holds(t, troubled);
        });
      }
    });
  }

  await t.test("a start while the server is down", async (t) => {
    await postgres.stop();
    await comesUpLater(t, { url: postgres.url, begin: () => {}, end: postgres.start });
  });
});

/** A gateway whose store cannot be opened yet starts, serves nothing, and begins by itself when it can. */
async function comesUpLater(t: Test, troubled: Troubled): Promise<void> {
  const { url: coze, sandbox } = await startSandbox(t);
  const gateway = await startOver(t, troubled, coze);
  t.match(await readiness(gateway), [503, notReady, 503, notReady]);
  isUnavailable(t, await gateway.change(), "not_sent");
  isUnavailable(t, await gateway.refused(), "not_sent");
  isUnavailable(t, await gateway.read());
  t.equal(sandbox.calls.length, 0);
  await troubled.end();
  await eventually("readiness without any call", async () => (await readiness(gateway))[0] === 200);
  t.equal((await gateway.change()).status, 404);
  const { report, records } = await inspect(troubled.url, gateway.log());
  t.strictSame(report.faults, []);
  t.match(records.at(-3), { kind: "opened" });
}
