import type { FastifyBaseLogger } from "fastify";
import { type AuditStore, StoreError } from "../../audit/store.ts";
import { GatewayError } from "../../errors.ts";

/** The part of the store that reading takes. */
export type AuditReader = Pick<AuditStore, "find" | "chain">;

/** The same store for one request: its trouble becomes the error to answer, and its own words stay in the log. */
export function readerOf(store: AuditReader, log: FastifyBaseLogger): AuditReader {
  const answerable = async <T>(read: () => Promise<T>): Promise<T> => {
    try {
      return await read();
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      log.error({ event: "audit_unreadable", err: error }, "the audit store cannot be read");
      throw new GatewayError("audit_unavailable", {
        message: "The audit store cannot be read now; repeat later.",
        cause: error,
      });
    }
  };
  return {
    find: (filter, page) => answerable(() => store.find(filter, page)),
    chain: (after, limit) => answerable(() => store.chain(after, limit)),
  };
}
