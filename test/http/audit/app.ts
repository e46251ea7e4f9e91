import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import Fastify, { type FastifyBaseLogger, type FastifyRequest, LogController } from "fastify";
import { pino } from "pino";
import type { Test } from "tap";
import { openSqliteStore } from "../../../src/audit/sqlite/store.ts";
import type { AuditStore, Row } from "../../../src/audit/store.ts";
import { hashKey, mintKey } from "../../../src/callers/key.ts";
import { parsePolicy } from "../../../src/callers/policy.ts";
import { auditSchemas } from "../../../src/http/audit/event-schema.ts";
import type { AuditReader } from "../../../src/http/audit/reader.ts";
import { type AuditRead, addAuditRoutes } from "../../../src/http/audit/routes.ts";
import { addBodyParser } from "../../../src/http/body.ts";
import { addContext, requestId } from "../../../src/http/context.ts";
import { errorHandler } from "../../../src/http/error-reply.ts";
import { addNotFound } from "../../../src/http/not-found.ts";
import { failure } from "../../../src/http/route-schema.ts";
import { addValidation } from "../../../src/http/validation.ts";
import { serializeError } from "../../../src/telemetry/logger.ts";
import { Trail } from "../../audit/rows.ts";
import { gateOf } from "../helper.ts";

/** Where the trail is asked for. */
export const auditPath = "/gateway/v1/audit/events";

/** A real store with one stream, `a.1`, that can be written on. */
export async function openStore(
  t: Pick<Test, "testdir" | "teardown">,
  write: (trail: Trail) => Row[] = () => [],
) {
  const file = join(t.testdir(), "audit.db");
  const store = await openSqliteStore(file, { stream: "a.1" });
  t.teardown(() => store.close());
  const trail = new Trail("a.1");
  let head = trail.head;
  const append = async (rows: readonly Row[]) => {
    if (rows.length > 0) await store.append(rows, head);
    head = trail.head;
  };
  await append(write(trail));
  return { store, trail, append, file };
}

/** Changes what is stored behind the store's back, as somebody with the file in hands would. */
export function tamper(file: string, change: string): void {
  const database = new DatabaseSync(file);
  const triggers = database.prepare("SELECT name FROM sqlite_schema WHERE type = 'trigger'").all();
  for (const { name } of triggers) database.exec(`DROP TRIGGER ${name}`);
  database.exec(change);
  database.close();
}

/** The same store that counts what is asked of it, and fails or waits where it is told to. */
export function watched(store: AuditStore, before: (call: number) => Promise<void> | void = () => undefined) {
  const seen = { calls: 0 };
  const reader: AuditReader = {
    find: async (filter, page) => {
      seen.calls += 1;
      await before(seen.calls);
      return store.find(filter, page);
    },
    chain: async (after, limit) => {
      seen.calls += 1;
      await before(seen.calls);
      return store.chain(after, limit);
    },
  };
  return { reader, seen };
}

/** The routes alone on a port of their own, with everything that a request meets before them in the gateway. */
export async function serveAudit(
  t: Pick<Test, "teardown">,
  store: AuditReader,
  onRead: (asked: AuditRead) => Promise<void> | void = () => undefined,
) {
  const written: string[] = [];
  const reads: AuditRead[] = [];
  const refusals: unknown[] = [];
  const logger: FastifyBaseLogger = pino(
    { level: "debug", serializers: { err: serializeError } },
    { write: (line: string) => void written.push(line) },
  );
  const app = Fastify({
    loggerInstance: logger,
    logController: new LogController({ disableRequestLogging: true, requestIdLogLabel: "request_id" }),
    genReqId: requestId,
    exposeHeadRoutes: false,
    forceCloseConnections: true,
    routerOptions: { maxParamLength: 16_384 },
  });
  const keys = { auditor: mintKey("auditor"), partial: mintKey("partial"), billing: mintKey("billing") };
  const grants = {
    auditor: [{ permissions: ["readAudit"], api_app_ids: "all" }],
    partial: [{ permissions: ["readAudit"], api_app_ids: ["7300000000000000001"] }],
    billing: [{ permissions: ["listApiApp"], api_app_ids: "all" }],
  };
  const names = ["auditor", "partial", "billing"] as const;
  const policy = parsePolicy(
    JSON.stringify({
      callers: names.map((id) => ({ id, keys: [{ sha256: hashKey(keys[id]) }], grants: grants[id] })),
    }),
  );
  const requests: FastifyRequest[] = [];
  app.addHook("onSend", async (request) => void requests.push(request));
  addContext(app);
  app.setErrorHandler(
    errorHandler(
      { refuse: async (subject, how) => void refusals.push({ ...subject, ...how }) },
      () => undefined,
    ),
  );
  addNotFound(app);
  addBodyParser(app);
  addValidation(app);
  app.setSerializerCompiler(() => (data) => JSON.stringify(data));
  for (const schema of [failure, ...auditSchemas]) app.addSchema(schema);
  addAuditRoutes(
    app,
    gateOf(() => policy),
    {
      store,
      recordRead: async (_, asked) => {
        await onRead(asked);
        reads.push(asked);
      },
    },
  );
  t.teardown(() => app.close());
  const url = await app.listen({ host: "127.0.0.1", port: 0 });
  return {
    app,
    url,
    port: Number(new URL(url).port),
    keys,
    /** The requests that were answered, as Fastify has them. */
    requests,
    /** What was recorded of reads, and of refusals. */
    reads,
    refusals,
    text: () => written.join(""),
    /** The lines that tell of an event; Fastify's own do not. */
    lines: () =>
      written
        .map((line): Record<string, unknown> => JSON.parse(line))
        .filter(({ event }) => event !== undefined),
    get: (path: string, headers: Record<string, string> = {}, key = keys.auditor) =>
      fetch(`${url}${path}`, {
        headers: { authorization: `Bearer ${key}`, connection: "close", ...headers },
      }),
  };
}

/** A raw request for an export on a connection of its own. */
export function askExport(port: number, key: string, version = "1.1"): Socket {
  const socket = connect(port, "127.0.0.1");
  const headers = `Host: x\r\nAuthorization: Bearer ${key}\r\nAccept: application/x-ndjson\r\nConnection: close\r\n`;
  socket.write(`GET ${auditPath} HTTP/${version}\r\n${headers}\r\n`);
  return socket;
}

/** Waits until a count stays the same while the store answers many other questions. */
export async function settled(count: () => number, store: Pick<AuditStore, "find">): Promise<number> {
  for (;;) {
    const before = count();
    for (let round = 0; round < 100; round += 1) await store.find({}, { order: "newest_first", limit: 1 });
    if (count() === before) return before;
  }
}

/** An item of a list, taken on trust: a reply without a field fails the test that looks at it. */
export interface Item {
  readonly id: string;
  readonly hash: string;
  readonly position: number;
  readonly intact: boolean;
  readonly record: Readonly<Record<string, unknown>> | null;
  readonly text?: string;
  readonly related: readonly string[];
}

/** `data` of a list, taken on trust. */
export interface ListData {
  readonly items: readonly Item[];
  readonly has_more: boolean;
  readonly next_page_token?: string;
}
