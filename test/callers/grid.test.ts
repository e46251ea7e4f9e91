import t from "tap";
import { mintKey } from "../../src/callers/key.ts";
import { operations, permissions, readAudit } from "../../src/operations/registry.ts";
import { call, startGateway, startSandbox, type TestReply } from "../helpers/gateway.ts";

const callsOfEach = 2_000;
const eventTypes = ["bot.published", "bot.deleted", "bot.unpublished", "benefit.usage"];
const cozes = [...permissions].filter((name) => name !== readAudit);

/** What a caller knows of an app of its own: what Coze must have, whatever the others do. */
interface Model {
  name: string;
  readonly events: Set<string>;
  readonly verifyToken: string;
}

/** Numbers that are the same in each run: a failure can be repeated. */
function randomFrom(seed: number) {
  let state = seed;
  return (below: number) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

t.test(
  "five callers at once, random calls on own, others', listed and no apps: nobody reaches what is not granted",
  async (t) => {
    const coze = await startSandbox(t);
    const { state } = coze.sandbox;
    const listed = ["one", "two", "three"].map(
      (name) => state.create({ appType: "normal", connectorId: undefined, name }).id,
    );
    const [first = "", second = ""] = listed;
    const own = { permissions: cozes, api_app_ids: "own" as const };
    const narrow = {
      permissions: ["listApiApp", "updateApiApp", "readVerifyToken"],
      api_app_ids: [first, second],
    };
    const callers = [
      { id: "alice", key: mintKey("alice"), grants: [own], also: [] },
      { id: "bob", key: mintKey("bob"), grants: [own], also: [] },
      { id: "carol", key: mintKey("carol"), grants: [own, narrow], also: [first, second] },
      { id: "dave", key: mintKey("dave"), grants: [narrow], also: [first, second] },
      { id: "nobody", key: mintKey("nobody"), grants: [], also: [] },
    ];
    const gateway = await startGateway(t, coze.url, unlimited, callers);
    /** All apps that were ever made, by whoever; callers pick their targets from here. */
    const everyones: string[] = [...listed, "7599999999999999999"];
    const counts = { allowed: 0, refused: 0, gone: 0 };

    const play = async ({ id, key, grants, also }: (typeof callers)[number], seed: number) => {
      const random = randomFrom(seed);
      const pick = <T>(values: readonly T[]): T => values[random(values.length)] as T;
      const mayOwn = grants.includes(own);
      const mine = new Map<string, Model>();
      const dead = new Set<string>();
      const send = (method: string, path: string, body?: unknown): Promise<TestReply> =>
        call(gateway.url + path, method, { authorization: `Bearer ${key}` }, body);
      const isRefused = ({ status, body, text }: TestReply, what: string) => {
        counts.refused += 1;
        if (status !== 403 || body.gateway.error !== "forbidden") t.fail(`${id} ${what}: ${status} ${text}`);
      };
      const isDone = ({ status, text }: TestReply, what: string) => {
        counts.allowed += 1;
        if (status !== 200) t.fail(`${id} ${what}: ${status} ${text}`);
      };

      for (let round = 0; round < callsOfEach; round++) {
        const operation = pick(operations);
        const app = random(2) === 0 && mine.size > 0 ? pick([...mine.keys()]) : pick(everyones);
        const model = mine.get(app);
        const path = operation.path.replace(":api_app_id", app);
        const name = `${id} ${round}`;
        const events = eventTypes.filter(() => random(2) === 0);
        if (events.length === 0) events.push("bot.published");
        const bodies: Record<string, unknown> = {
          create_api_app: { app_type: "normal", name },
          update_api_app: { name },
          subscribe_events: { event_types: events },
          unsubscribe_events: { event_types: events },
        };
        const reply = await send(operation.method, path, bodies[operation.id]);
        const what = `${operation.id} ${app} (${model ? "own" : "not own"})`;
        if (operation.reach === "new_app") {
          if (!mayOwn) isRefused(reply, what);
          else {
            isDone(reply, what);
            const { id: made, verify_token: verifyToken } = reply.body.data;
            t.equal(verifyToken, state.apps.get(made)?.verifyToken, "its own verify_token is shown");
            mine.set(made, { name, events: new Set(), verifyToken });
            everyones.push(made);
          }
        } else if (operation.reach === "listed_apps") {
          if (grants.length === 0) isRefused(reply, what);
          else {
            isDone(reply, what);
            const seen = reply.body.data.items.map((item) => item["id"] ?? "");
            const foreign = seen.filter((each) => !mine.has(each) && !(also as string[]).includes(each));
            if (foreign.length > 0) t.fail(`${id} sees ${foreign}`);
          }
        } else if (model || (mayOwn && dead.has(app))) {
          if (!model) {
            counts.gone += 1;
            if (reply.status !== 404) t.fail(`${id} ${what}, deleted: ${reply.status} ${reply.text}`);
            continue;
          }
          isDone(reply, what);
          if (operation.id === "update_api_app") model.name = name;
          for (const event of events) {
            if (operation.id === "subscribe_events") model.events.add(event);
            if (operation.id === "unsubscribe_events") model.events.delete(event);
          }
          if (operation.id === "list_subscribed_events")
            t.same(reply.body.data.items.map((item) => item["event_type"]).sort(), [...model.events].sort());
          if (operation.id === "delete_api_app") {
            mine.delete(app);
            dead.add(app);
          }
        } else if ((also as string[]).includes(app) && narrow.permissions.includes(operation.permission)) {
          isDone(reply, what);
        } else {
          isRefused(reply, what);
        }
      }
      return { id, mine, dead, send, also };
    };

    const players = await Promise.all(callers.map((caller, index) => play(caller, 7 + index)));

    let checked = 0;
    for (const { mine, dead } of players) {
      for (const [app, { name, events }] of mine) {
        const found = state.apps.get(app);
        t.equal(found?.name, name);
        t.same([...(found?.events.keys() ?? [])].sort(), [...events].sort());
        checked += 1;
      }
      for (const app of dead) t.notOk(state.apps.has(app));
    }
    t.equal(state.apps.size, checked + listed.length, "no other app came or went");
    t.match(counts, { allowed: Number, refused: Number });
    t.ok(counts.allowed > 1_000 && counts.refused > 1_000 && counts.gone > 10, JSON.stringify(counts));

    t.test("paging is not broken: over all pages a caller sees what it may, once each", async (t) => {
      for (const { id, mine, send, also } of players) {
        if (id === "nobody") continue;
        const seen: string[] = [];
        let next = "";
        do {
          const { body } = await send(
            "GET",
            `/v1/api_apps?page_size=10&page_token=${encodeURIComponent(next)}`,
          );
          seen.push(...body.data.items.map((item) => item["id"] ?? ""));
          next = body.data.has_more ? body.data.next_page_token : "";
        } while (next !== "");
        t.same(seen.sort(), [...mine.keys(), ...also].sort(), id);
      }
    });
    t.comment(
      `${callers.length * callsOfEach} calls: ${JSON.stringify(counts)}, ${checked} apps as their owners left them`,
    );
  },
);

const unlimited = {
  RATE_LIMIT_READ: "unlimited",
  RATE_LIMIT_WRITE: "unlimited",
  RATE_LIMIT_DESTRUCTIVE: "unlimited",
  LOG_LEVEL: "error",
};
