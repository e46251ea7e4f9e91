import { hostname } from "node:os";
import { anchorLine } from "../../audit/anchor-line.ts";
import { Audit } from "../../audit/audit.ts";
import { newStream } from "../../audit/chain.ts";
import { StoreConnection } from "../../audit/connection.ts";
import type { Journal } from "../../audit/journal.ts";
import { openStore } from "../../audit/open-store.ts";
import { type AuditStore, StoreError, type StoreOptions } from "../../audit/store.ts";
import type { StoreConfig } from "../../config/config.ts";
import { createLogger } from "../../telemetry/logger.ts";
import { version } from "../../wire.ts";
import type { Terminal } from "../command.ts";
import { explained } from "./store.ts";

/** How long it waits for the store at its beginning and its end, in ms. */
const patienceMs = 10_000;

/** What a command that writes to the trail is, and how it opens the store. */
export interface TrailOptions extends Pick<StoreOptions, "beside"> {
  /** The command; its stream is named after it. */
  readonly name: string;
}

/**
 * Lends the configured store and a journal with a stream of its own, begins the stream before and ends it afterwards.
 * What is written to the trail is printed as lines of a gateway's log, to be kept with those as anchors. While the store
 * is in trouble that may pass it goes on trying, and says why.
 * @throws {ConfigError} that names the store, when the store is why it could not be done.
 */
export async function withTrail<T>(
  config: StoreConfig,
  { name, beside }: TrailOptions,
  { out }: Pick<Terminal, "out">,
  work: (store: AuditStore, journal: Journal) => Promise<T>,
): Promise<T> {
  const stream = newStream(`${name}.${hostname()}`);
  const connection = new StoreConnection(() => openStore(config, { stream, beside }));
  const write = (line: string) => void out(line);
  return explained(config, async () => {
    const store = await connection.get();
    const { promise: hopeless, reject: giveUp } = Promise.withResolvers<never>();
    let closeMs = patienceMs;
    const audit = new Audit({
      stream,
      connection,
      version,
      timeoutMs: patienceMs,
      retentionDays: undefined,
      log: createLogger({ level: "error", destination: { write } }),
      onStored: (sealed) => write(anchorLine(sealed)),
      onFlush: () => undefined,
      onFailure: (error) => {
        if (!(error instanceof StoreError && error.permanent)) return;
        // Nothing more comes of what is still on its way.
        closeMs = 0;
        giveUp(error);
      },
    });
    const done = audit.start(patienceMs).then(() => work(store, audit.journal));
    try {
      return await Promise.race([done, hopeless]);
    } finally {
      done.catch(() => undefined);
      hopeless.catch(() => undefined);
      await audit.close(closeMs);
    }
  });
}
