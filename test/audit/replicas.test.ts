import t, { type Test } from "tap";
import { files } from "../commands/files.ts";
import { eventually } from "../config/eventually.ts";
import { call } from "../helpers/gateway.ts";
import { startMisbehavingServer, wireReply } from "../helpers/misbehaving-server.ts";
import { skip, startPostgres } from "../helpers/postgres.ts";
import { type GatewayProcess, startGatewayProcess } from "./gateway-process.ts";
import { type Inspection, inspect, recordsOfRequest } from "./inspect.ts";
import {
  type Load,
  type Request,
  startLastingCoze,
  startLoad,
  unannounced,
  unended,
  unrecorded,
} from "./load.ts";

t.setTimeout(600_000);

const clients = 8;
const isLong = process.env["LONG_TESTS"] === "1";

/** No time limit of a gateway ends what a test holds up. */
const patient = { REQUEST_TIMEOUT_MS: "60000", ATTEMPT_TIMEOUT_MS: "60000" };

/** A database, a local Coze, and gateways in front of both on demand. */
async function place(t: Test) {
  const { url: store } = await startPostgres(t);
  const coze = await startLastingCoze(t);
  const { key, environment } = files(t);
  const start = () =>
    startGatewayProcess(t, { ...environment, ...patient, COZE_BASE_URL: coze.url, AUDIT_STORE: store });
  const load = ({ url }: GatewayProcess) => startLoad(url, key, clients);

  const releases: (() => void)[] = [];
  const callback = await startMisbehavingServer(t, (socket) => {
    releases.push(() => void socket.end(wireReply(404, "")));
  });
  /** Asks for a change that Coze has under way until `release`, as it waits for the callback URL. */
  const holdChange = async (gateway: GatewayProcess, id: string) => {
    const headers = { authorization: `Bearer ${key}`, "x-request-id": id };
    const { body } = await call(`${gateway.url}/v1/api_apps`, "POST", headers, {
      app_type: "normal",
      name: id,
    });
    const path = `/v1/api_apps/${body.data.id}`;
    const before = releases.length;
    const url = { callback_url: callback.url };
    const reply = call(gateway.url + path, "PUT", { ...headers, "x-request-id": `${id}-held` }, url);
    // A gateway that is killed never answers.
    const ended = reply.catch(() => undefined);
    await eventually("a change under way", () => releases.length > before);
    const changes: Request[] = [
      { id, operation: "create_api_app", signature: `POST /v1/api_apps ${id}` },
      { id: `${id}-held`, operation: "update_api_app", signature: `PUT ${path}` },
    ];
    return { id: `${id}-held`, ended, changes };
  };
  const release = () => {
    for (const each of releases) each();
  };
  return { store, coze, start, load, holdChange, release };
}

/** The stream that a gateway writes, as its log says. */
function streamOf(gateway: GatewayProcess): string {
  const lines = gateway.log().map((line) => JSON.parse(line));
  return lines.find(({ event }) => event === "audit").stream;
}

/** The attempts that processes closed for others, as `closer closed stream`, each pair once. */
function closings({ records }: Inspection): string[] {
  const closed = records.filter(({ kind }) => kind === "closed");
  return [...new Set(closed.map(({ stream, closes }) => `${stream} closed ${closes?.stream}`))];
}

/** Waits until the clients got so many further replies. */
async function goesOn({ replies }: Load, count = 100): Promise<void> {
  const enough = replies.length + count;
  await eventually(`${enough} replies`, () => replies.length >= enough);
}

t.test(
  "two gateways under load, one is killed: the next to start closes what it left",
  { skip },
  async (t) => {
    const { store, coze, start, load, holdChange, release } = await place(t);
    // Both find an empty database, and set it up at once.
    const [killed, survivor] = await Promise.all([start(), start()]);
    const [lost, served] = [load(killed), load(survivor)];
    await Promise.all([goesOn(lost), goesOn(served)]);
    const left = await holdChange(killed, "left");
    const held = await holdChange(survivor, "kept");
    await killed.kill();
    await lost.stop();
    await goesOn(served);

    const third = await start();
    await goesOn(served);
    const log = () => [killed, survivor, third].flatMap((gateway) => gateway.log());
    const meanwhile = await inspect(store, log());
    t.strictSame(meanwhile.report.faults, []);
    t.equal(meanwhile.report.unreadableLines, 0);
    t.strictSame(
      closings(meanwhile),
      [`${streamOf(third)} closed ${streamOf(killed)}`],
      "what the survivor has under way is its own affair",
    );
    const ofKilled = unended(meanwhile).filter((line) => line.startsWith(streamOf(killed)));
    t.strictSame(ofKilled, [], "and nothing of the dead one is left open");
    t.match(recordsOfRequest(meanwhile, left.id), [
      { kind: "attempt" },
      { kind: "closed", outcome: "unknown" },
    ]);
    t.match(recordsOfRequest(meanwhile, held.id), [{ kind: "attempt" }]);
    t.equal(recordsOfRequest(meanwhile, held.id).length, 1);

    release();
    t.match(await held.ended, { status: 400, body: { gateway: { error: "coze_invalid_request" } } });

    await served.stop();
    for (const gateway of [survivor, third]) t.equal(await gateway.stop(), 0);
    const calls = await coze.takeCalls();
    const found = await inspect(store, log());
    t.strictSame(found.report.faults, []);
    t.match(found.report, { streams: 3, stopped: 2, unfinished: { count: 0 } });
    t.strictSame(unended(found), []);
    t.strictSame(closings(found), closings(meanwhile));
    t.match(recordsOfRequest(found, held.id), [{ kind: "attempt" }, { kind: "outcome", outcome: "refused" }]);
    const changes = new Map([...lost.changes, ...served.changes]);
    for (const change of [...left.changes, ...held.changes]) changes.set(change.signature, change);
    t.strictSame(unannounced(found, { changes }, calls), [], "what Coze saw was announced");
    for (const { replies } of [lost, served])
      t.strictSame(unrecorded(found, { replies }), [], "what was answered is recorded");
    // The survivor notices nothing, unless the machine takes too long for a flush; then it says so.
    for (const word of new Set(served.replies.map(({ status, error }) => error ?? String(status))))
      t.match(word, /^(200|audit_incomplete|audit_unavailable)$/);
    const closed = found.records.filter(({ kind }) => kind === "closed").length;
    t.comment(
      `${lost.replies.length} replies before the kill, ${served.replies.length} by the survivor, ${closed} closed, ` +
        `${found.records.length} records`,
    );
  },
);

t.test(
  "the survivor closes them by itself, too, within its minute",
  { skip: skip || (!isLong && "it takes more than a minute: LONG_TESTS=1") },
  async (t) => {
    const { store, start, load, holdChange } = await place(t);
    const [killed, survivor] = await Promise.all([start(), start()]);
    const lost = load(killed);
    await goesOn(lost);
    const left = await holdChange(killed, "left");
    await killed.kill();
    await lost.stop();
    const found = await eventually(
      "closings",
      async () => {
        const trail = await inspect(store, [...killed.log(), ...survivor.log()]);
        return closings(trail).length > 0 && trail;
      },
      120_000,
    );
    t.strictSame(closings(found as Inspection), [`${streamOf(survivor)} closed ${streamOf(killed)}`]);
    t.match(recordsOfRequest(found as Inspection, left.id), [{ kind: "attempt" }, { kind: "closed" }]);
    t.equal(await survivor.stop(), 0);
    const end = await inspect(store, [...killed.log(), ...survivor.log()]);
    t.strictSame(end.report.faults, []);
    t.strictSame(unended(end), []);
  },
);
