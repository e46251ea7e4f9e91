import { setTimeout as sleep } from "node:timers/promises";
import { Pool } from "undici";
import type { RecordedCall } from "../../src/sandbox/calls.ts";
import { buildSandbox } from "../../src/sandbox/coze.ts";
import { type Teardown, token } from "../helpers/gateway.ts";
import { endsOfAttempts, type Inspection } from "./inspect.ts";

/** One request of a client. */
export interface Request {
  readonly id: string;
  readonly operation: string;
  /** How it looks to Coze; no two requests look the same. */
  readonly signature: string;
}

/** A reply that came whole. */
interface Reply extends Request {
  readonly status: number;
  readonly error: string | undefined;
  readonly logid: string | undefined;
}

/** Clients at work, and what they know. */
export interface Load {
  /** Every change that was asked for, by its signature. */
  readonly changes: ReadonlyMap<string, Request>;
  readonly replies: readonly Reply[];
  readonly sent: () => number;
  /** Lets each client end with the request that it has under way, however that ends. */
  readonly stop: () => Promise<void>;
}

let ids = 0;

/** Sends the same round of changes and reads again and again, each client with apps of its own, until a call breaks. */
export function startLoad(url: string, key: string, clients: number): Load {
  const changes = new Map<string, Request>();
  const replies: Reply[] = [];
  const pool = new Pool(url, { connections: clients });
  let sent = 0;
  let stopping = false;

  const call = async (
    operation: string,
    method: "GET" | "POST" | "PUT" | "DELETE",
    path: string,
    body?: object,
  ) => {
    const id = `load-${++ids}`;
    const name = operation === "create_api_app" ? ` ${id}` : "";
    const request = { id, operation, signature: `${method} ${path}${name}` };
    if (method !== "GET") changes.set(request.signature, request);
    sent += 1;
    const {
      statusCode,
      headers,
      body: bytes,
    } = await pool.request({
      method,
      path,
      headers: {
        authorization: `Bearer ${key}`,
        "x-request-id": id,
        ...(body && { "content-type": "application/json" }),
      },
      body: body ? JSON.stringify({ ...body, ...(name && { name: id }) }) : null,
    });
    const reply = JSON.parse(await bytes.text()) as { data?: { id?: string }; gateway?: { error: string } };
    const logid = headers["x-tt-logid"];
    replies.push({
      ...request,
      status: statusCode,
      error: reply.gateway?.error,
      logid: logid === undefined ? undefined : String(logid),
    });
    return reply;
  };

  const client = async () => {
    while (!stopping) {
      const { data } = await call("create_api_app", "POST", "/v1/api_apps", { app_type: "normal" });
      if (!data?.id) continue;
      const app = `/v1/api_apps/${data.id}`;
      const events = { event_types: ["bot.published"] };
      await call("subscribe_events", "POST", `${app}/events`, events);
      await call("update_api_app", "PUT", app, { name: "another" });
      await call("list_subscribed_events", "GET", `${app}/events`);
      await call("unsubscribe_events", "DELETE", `${app}/events`, events);
      await call("delete_api_app", "DELETE", app);
    }
  };
  const ended = Promise.allSettled(Array.from({ length: clients }, client));
  return {
    changes,
    replies,
    sent: () => sent,
    stop: async () => {
      stopping = true;
      await ended;
      await pool.destroy();
    },
  };
}

/** A local Coze that outlives gateways and forgets no call. */
export async function startLastingCoze(t: Teardown) {
  const app = buildSandbox({
    tokens: new Map([[token, "all" as const]]),
    maxRecordedCalls: 1_000_000,
    challengeTimeoutMs: 60_000,
  });
  t.teardown(() => app.close());
  const url = await app.listen({ host: "127.0.0.1", port: 0 });
  return {
    url,
    /** The calls that came since this was asked last, up to the last byte of gateways that are gone. */
    takeCalls: async (): Promise<RecordedCall[]> => {
      const connections = () =>
        new Promise<number>((resolve, reject) =>
          app.server.getConnections((error, count) => (error ? reject(error) : resolve(count))),
        );
      while ((await connections()) > 0) await sleep(5);
      app.sandbox.state.apps.clear();
      return app.sandbox.calls.splice(0);
    },
  };
}

/** Changes that Coze saw although nothing durable says that they were to be sent; none is what is wanted. */
export function unannounced(
  { records }: Inspection,
  { changes }: Pick<Load, "changes">,
  calls: readonly RecordedCall[],
): string[] {
  const attempts = Map.groupBy(
    records.filter(({ kind }) => kind === "attempt"),
    ({ request_id }) => request_id,
  );
  return calls
    .filter(({ method }) => method !== "GET")
    .map(signatureOf)
    .filter((signature) => {
      const { id, operation } = changes.get(signature) ?? {};
      const [attempt, ...more] = attempts.get(id) ?? [];
      const [, app] = /^\w+ \/v1\/api_apps\/(\d+)/.exec(signature) ?? [];
      return more.length > 0 || attempt?.operation !== operation || attempt?.api_app_id !== app;
    });
}

/** Successes that were answered although no outcome says so; none is what is wanted. */
export function unrecorded({ records }: Inspection, { replies }: Pick<Load, "replies">): string[] {
  const outcomes = Map.groupBy(
    records.filter(({ kind }) => kind === "outcome"),
    ({ request_id }) => request_id,
  );
  return replies
    .filter(({ status }) => status === 200)
    .filter(({ id, operation, logid }) => {
      const [outcome, ...more] = outcomes.get(id) ?? [];
      const known = outcome?.operation === operation && outcome.attempts?.at(-1)?.logid === logid;
      return more.length > 0 || logid === undefined || !known || outcome.outcome !== "done";
    })
    .map(({ id }) => id);
}

/** Attempts that have no end, or more than one; none is what is wanted when all processes of the trail rest. */
export function unended({ records }: Inspection): string[] {
  return endsOfAttempts(records)
    .filter(({ ends }) => ends.length !== 1)
    .map(({ attempt, ends }) => `${attempt.stream}:${attempt.seq} has ${ends.length} ends`);
}

function signatureOf({ method, url, body }: RecordedCall): string {
  const creates = method === "POST" && url === "/v1/api_apps";
  return creates ? `${method} ${url} ${JSON.parse(body).name}` : `${method} ${url}`;
}
