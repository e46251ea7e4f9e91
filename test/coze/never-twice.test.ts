import { randomInt } from "node:crypto";
import type { Socket } from "node:net";
import t from "tap";
import { startGateway, type TestReply } from "../helpers/gateway.ts";
import {
  envelope,
  startMisbehavingServer,
  type WireRequest,
  wireReply,
} from "../helpers/misbehaving-server.ts";

/** Set SEED to repeat a run; scripts do not depend on the order in which they run. */
const seed = Number(process.env["SEED"] ?? randomInt(2 ** 31));
const scripts = 1000;
const atOnce = 16;

/** Numbers from 0 up to 1, the same for the same seed (mulberry32). */
function numbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** What Coze does with one request: whether it takes effect, whether Coze says that it did not, and what goes out. */
interface Step {
  readonly name: string;
  readonly effect: "always" | "maybe" | "never";
  readonly write: (socket: Socket, whole: string) => void;
}

const refusal = (name: string, bytes: string): Step => ({
  name,
  effect: "never",
  write: (socket) => void socket.write(bytes),
});
const fault = (name: string, write: Step["write"]): Step => ({ name, effect: "maybe", write });
const says = (name: string, bytes: string): Step => fault(name, (socket) => void socket.write(bytes));

const success: Step = {
  name: "success",
  effect: "always",
  write: (socket, whole) => void socket.write(whole),
};
const steps: readonly Step[] = [
  success,
  { ...success, name: "success, then end", write: (socket, whole) => void socket.end(whole) },
  {
    ...success,
    name: "success with more",
    write: (socket, whole) => void socket.write(`${whole}HTTP/1.1 200`),
  },
  {
    ...success,
    name: "success with a second reply",
    write: (socket, whole) => void socket.write(whole + wireReply(200, envelope(0, { name: "poison" }))),
  },
  {
    ...success,
    name: "hints first",
    write: (socket, whole) => void socket.write(`HTTP/1.1 103 Hints\r\n\r\n${whole}`),
  },
  {
    ...success,
    name: "success, late",
    write: (socket, whole) => void setTimeout(() => socket.write(whole), 20),
  },
  fault("reset", (socket) => void socket.resetAndDestroy()),
  fault("end", (socket) => void socket.end()),
  fault("end in the headers", (socket, whole) => void socket.end(whole.slice(0, 40))),
  fault("end in the body", (socket, whole) => void socket.end(whole.slice(0, -5))),
  fault(
    "reset in the body",
    (socket, whole) => void socket.write(whole.slice(0, -5), () => socket.resetAndDestroy()),
  ),
  fault("stall", () => undefined),
  fault("stall in the body", (socket, whole) => void socket.write(whole.slice(0, -5))),
  fault("cut JSON", (socket) => void socket.write(wireReply(200, '{"code":0,"data":{'))),
  says("HTML 502", wireReply(502, "<html>", { "content-type": "text/html" })),
  says("HTML 504", wireReply(504, "<html>", { "content-type": "text/html" })),
  says("HTML 200", wireReply(200, "<html>")),
  says("500", wireReply(500, envelope(5000))),
  says("empty", wireReply(200, "")),
  says("no HTTP", "garbage\r\n\r\n"),
  says("100", "HTTP/1.1 100 Continue\r\n\r\n"),
  says("gzip", wireReply(200, "x", { "content-encoding": "gzip" })),
  says("two lengths", wireReply(200, envelope(0), { "content-length": ["3", "4"] })),
  refusal("invalid", wireReply(400, envelope(4000))),
  refusal("unknown code", wireReply(400, envelope(123))),
  says("unknown code with 200", wireReply(200, envelope(123))),
  says("redirect", wireReply(303, "", { location: "/done" })),
  ...[
    [429, 0],
    [401, 0],
    [400, 0],
    [500, 4013],
    [504, 4009],
    [500, 4100],
    [500, 4000],
    [503, 4101],
  ].map(([status = 0, code = 0]) => says(`${status} with code ${code}`, wireReply(status, envelope(code)))),
  refusal("token rejected", wireReply(401, envelope(4100))),
];

/** All that happens to one call: a step for each time its request comes, the last one for every further time. */
class Script {
  readonly name: string;
  readonly steps: readonly Step[];
  readonly #random: () => number;
  received = 0;
  applied = 0;
  /** Requests that came although one before was not answered by a refusal. */
  repeated = 0;
  #open = true;

  constructor(index: number) {
    this.name = `app${index}`;
    this.#random = numbers(seed + index * 7919);
    this.steps = Array.from({ length: 3 }, () => steps[Math.floor(this.#random() * steps.length)] ?? success);
  }

  perform(socket: Socket): void {
    const step = this.steps[Math.min(this.received, 2)] ?? success;
    this.received += 1;
    if (!this.#open) this.repeated += 1;
    if (step.effect !== "never") this.#open = false;
    if (step.effect === "always" || (step.effect === "maybe" && this.#random() < 0.5)) this.applied += 1;
    step.write(socket, wireReply(200, envelope(0, { name: this.name })));
  }

  toString(): string {
    return `seed ${seed}, ${this.name}: ${this.steps.map(({ name }) => name).join(", then ")}`;
  }
}

/** Every tenth connection is reset before a request can be read from it. */
function resetsSome(): (socket: Socket) => boolean {
  const random = numbers(seed);
  return (socket) => {
    const bad = random() < 0.1;
    if (bad) socket.resetAndDestroy();
    return bad;
  };
}

/** Runs one call for each script and gives the replies in the same order. */
async function run(
  all: readonly Script[],
  call: (script: Script) => Promise<TestReply>,
): Promise<readonly (readonly [Script, TestReply])[]> {
  const done: [Script, TestReply][] = [];
  const queue = all.values();
  const worker = async () => {
    for (const script of queue) done.push([script, await call(script)]);
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  return done;
}

for (const [method, path, body] of [
  ["POST", () => "/v1/api_apps", (name: string) => ({ app_type: "normal", name })],
  ["DELETE", (name: string) => `/v1/api_apps/${name}`, () => undefined],
] as const) {
  t.test(`${scripts} scripts of faults, ${method}: never untrue, and create never twice`, async (t) => {
    const all = Array.from({ length: scripts }, (_, index) => new Script(index));
    const byName = new Map(all.map((script) => [script.name, script]));
    const nameOf = ({ body, target }: WireRequest) => /app\d+/.exec(body + target)?.[0] ?? "";
    const coze = await startMisbehavingServer(
      t,
      (socket, request) => byName.get(nameOf(request))?.perform(socket),
      { onConnection: resetsSome() },
    );
    const gateway = await startGateway(t, coze.url, { ATTEMPT_TIMEOUT_MS: "150" });
    const done = await run(all, ({ name }) => gateway.call(method, path(name), body(name)));
    t.equal(done.length, scripts);
    const count = (holds: (script: Script, reply: TestReply) => boolean) =>
      done
        .filter(([script, reply]) => holds(script, reply))
        .map(([script, { text }]) => `${script}: ${text}`);
    const succeeded = ({ status }: TestReply) => status === 200;
    const outcome = ({ body }: TestReply) => body.gateway.outcome;
    if (method === "POST") {
      t.same(
        count(({ repeated }) => repeated > 0),
        [],
        "sent again after it may have taken effect",
      );
      t.same(
        count(({ applied }) => applied > 1),
        [],
        "took effect twice",
      );
    }
    t.same(
      count(({ received }) => received > 3),
      [],
      "more attempts than allowed",
    );
    t.same(
      count(({ applied }, reply) => succeeded(reply) && applied === 0),
      [],
      "success that is not true",
    );
    t.same(
      count(({ name }, reply) => succeeded(reply) && !reply.text.includes(`"${name}"`)),
      [],
      "another's answer",
    );
    t.same(
      count(({ applied }, reply) => applied > 0 && !succeeded(reply) && outcome(reply) !== "unknown"),
      [],
      "called refused or not sent, but it took effect",
    );
    t.same(
      count((_, reply) => !succeeded(reply) && !["unknown", "refused", "not_sent"].includes(outcome(reply))),
      [],
      "no outcome",
    );
    const told = (word: string) =>
      done.filter(([, reply]) => !succeeded(reply) && outcome(reply) === word).length;
    t.comment(
      `${method}: ${coze.requests.length} requests received, ${count((_, reply) => succeeded(reply)).length} succeeded, ` +
        `${told("unknown")} unknown, ${told("refused")} refused, ${told("not_sent")} not sent`,
    );
    t.ok(told("unknown") > 0 && told("refused") > 0, "the scripts do reach these outcomes");
  });
}
