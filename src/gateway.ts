import type { FastifyInstance } from "fastify";
import type { DestinationStream, Logger } from "pino";
import { build } from "./app.ts";
import { openCallers } from "./callers/watched-callers.ts";
import { type Config, ConfigError } from "./config/config.ts";
import type { CozeToken } from "./coze/token/token.ts";
import { buildAdmin } from "./http/admin.ts";
import { openAuditStore, openToken } from "./inputs.ts";
import { createLogger, redacting } from "./telemetry/logger.ts";
import { wire } from "./wire.ts";

/** How long a start waits for the audit store, and a stop for the last records, in ms. */
const auditStartMs = 5_000;
const auditCloseMs = 3_000;

/** A whole gateway: the callers' port, the operators' port, and how to stop both. */
export interface Gateway {
  readonly app: FastifyInstance;
  readonly admin: FastifyInstance;
  readonly log: Logger;
  /** Not ready from now on; replies ask callers to close their connections. */
  readonly drain: () => void;
  /** Stops listening, finishes what is under way and lets go of files and sockets. */
  readonly close: () => Promise<void>;
}

/**
 * Opens files, wires all parts and builds the two servers; nothing listens yet.
 * @param destination where log lines go.
 * @throws {ConfigError} when COZE_TOKEN or the callers file cannot be used.
 */
export async function openGateway(config: Config, destination: DestinationStream): Promise<Gateway> {
  let token: CozeToken | undefined;
  const output = redacting(destination, (line) => token?.redact(line) ?? line);
  const log = createLogger({ level: config.LOG_LEVEL, destination: output });
  const problems: string[] = [];
  const note = (error: ConfigError): undefined => void problems.push(...error.problems);
  token = await openToken(config, log).catch(note);
  const callers = await openCallers(config, log).catch(note);
  const auditStore = await openAuditStore(config, log).catch(note);
  if (!token || !callers || !auditStore) {
    await token?.close();
    await callers?.close();
    await auditStore?.connection.close();
    throw new ConfigError(problems);
  }
  // Closed in the reverse order, each whatever becomes of the others.
  const opened = new AsyncDisposableStack();
  opened.adopt(token, (held) => held.close());
  opened.adopt(callers, (held) => held.close());
  let draining = false;
  const { parts, audit, closeParts } = wire(config, {
    ...auditStore,
    output,
    token,
    log,
    callers,
    draining: () => draining,
  });
  opened.defer(closeParts);
  opened.defer(async () => void (await audit.close(auditCloseMs)));
  await audit.start(auditStartMs);
  const admin = buildAdmin(parts.metrics.registry, parts.readiness, () => parts.token.status());
  opened.defer(() => admin.close());
  opened.defer(() => parts.coze.settled());
  opened.defer(() => parts.trail.settled());
  const app = await build(config, parts);
  opened.defer(async () => {
    // A connection without a whole request is not idle to Node; it would be waited for without end.
    const cut = setTimeout(() => app.server.closeAllConnections(), config.REQUEST_TIMEOUT_MS + 1_000);
    await app.close().finally(() => clearTimeout(cut));
  });
  return {
    app,
    admin,
    log,
    drain: () => {
      draining = true;
    },
    close: () => {
      draining = true;
      return opened.disposeAsync();
    },
  };
}
