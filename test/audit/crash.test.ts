import { randomInt } from "node:crypto";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import t, { type Test } from "tap";
import { files } from "../commands/files.ts";
import { eventually } from "../config/eventually.ts";
import { skip, startPostgres } from "../helpers/postgres.ts";
import { startGatewayProcess } from "./gateway-process.ts";
import { inspect } from "./inspect.ts";
import { startLastingCoze, startLoad, unannounced, unended, unrecorded } from "./load.ts";

/** A store that grows takes longer to verify, so each round of kills has its own. */
const [rounds, kills] = process.env["LONG_TESTS"] === "1" ? [10, 20] : [1, 15];
const clients = 16;
/** A kill comes up to so many ms after the first reply of a process. */
const latestMs = 400;

// A process takes seconds to start, more on a machine that has other work.
t.setTimeout(rounds * kills * 60_000);

const seed = Number(process.env["SEED"] ?? randomInt(2 ** 31));
t.comment(`SEED=${seed} repeats the times of the kills, as far as the machine does`);

/** Numbers from 0 to 1 that follow from the seed (mulberry32). */
function randomFrom(start: number): () => number {
  let state = start;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const stores: Readonly<Record<string, (t: Test, folder: string) => Promise<string>>> = {
  SQLite: async (_, folder) => `sqlite:${join(folder, "audit.db")}`,
  PostgreSQL: async (t) => (await startPostgres(t)).url,
};

for (const [name, place] of Object.entries(stores)) {
  t.test(`${name}: SIGKILL under load`, { skip: name === "PostgreSQL" && skip }, async (t) => {
    const random = randomFrom(seed);
    const sums = {
      kills: 0,
      requests: 0,
      changesAtCoze: 0,
      answered: 0,
      closed: 0,
      repaired: 0,
      notDone: 0,
    };
    const startedAt = performance.now();
    for (let round = 1; round <= rounds; round++) {
      await t.test(`round ${round}`, async (t) => {
        const { key, environment, folder } = files(t);
        const store = await place(t, folder);
        const coze = await startLastingCoze(t);
        const start = () =>
          startGatewayProcess(t, { ...environment, COZE_BASE_URL: coze.url, AUDIT_STORE: store });
        const log: string[] = [];
        let gateway = await start();
        for (let kill = 1; kill <= kills; kill++) {
          const load = startLoad(gateway.url, key, clients);
          await eventually("a reply", () => load.replies.length > 0);
          await sleep(random() * latestMs);
          await gateway.kill();
          await load.stop();
          log.push(...gateway.log());
          const calls = await coze.takeCalls();

          const left = await inspect(store, log);
          t.strictSame(left.report.faults, [], `kill ${kill}: what is left verifies`);
          t.strictSame(unannounced(left, load, calls), [], "what Coze saw was announced");
          t.strictSame(unrecorded(left, load), [], "what was answered is recorded");

          gateway = await start();
          const found = await inspect(store, [...log, ...gateway.log()]);
          t.strictSame(found.report.faults, [], "the trail verifies after the restart");
          t.equal(found.report.unreadableLines, 0);
          t.strictSame(unended(found), [], "every attempt has its one end");

          const of = (kind: string) => found.records.filter((record) => record.kind === kind).length;
          sums.kills += 1;
          sums.requests += load.sent();
          sums.changesAtCoze += calls.filter(({ method }) => method !== "GET").length;
          sums.answered += load.replies.filter(({ status }) => status === 200).length;
          sums.notDone += load.replies.filter(({ status }) => status !== 200).length;
          if (kill === kills) {
            sums.closed += of("closed");
            sums.repaired += of("repaired");
          }
        }
        t.equal(await gateway.stop(), 0);
        const { report } = await inspect(store, [...log, ...gateway.log()]);
        t.strictSame(report.faults, []);
        t.equal(report.streams, kills + 1);
        t.equal(report.stopped, 1, "all others were killed");
      });
    }
    t.not(sums.closed, 0, "kills left attempts to close");
    t.comment(`${JSON.stringify(sums)} in ${Math.round((performance.now() - startedAt) / 1000)} s`);
  });
}
