import type { Sealed } from "../../src/audit/chain.ts";
import { Chain } from "../../src/audit/chain.ts";
import type { Draft, Link } from "../../src/audit/record.ts";
import { labelsOf, type Row } from "../../src/audit/store.ts";

/** The time of the first row of every trail, in ms; each row after it is one second later. */
export const start = Date.parse("2027-03-10T12:00:00.000Z");

/** The row of a sealed record. */
export function rowOf({ record, text, hash }: Sealed): Row {
  return { ...labelsOf(record), text, hash };
}

/** The place of a row and its hash. */
export function linkOf({ stream, seq, hash }: Row): Link {
  return { stream, seq, hash };
}

/** Makes the rows of one stream, chained as a gateway would chain them. */
export class Trail {
  readonly #chain: Chain;
  #settledTo = 0;

  constructor(stream: string) {
    this.#chain = new Chain(stream);
  }

  /** The newest row; undefined before the first. */
  get head(): Link | undefined {
    return this.#chain.head;
  }

  /** The next row; an `alive` of one second later unless the draft says otherwise. */
  next(draft: Partial<Draft> = {}): Row {
    const seq = this.#chain.nextSeq;
    const defaults = { kind: "alive", time: start + (seq - 1) * 1000, uptime_ms: seq * 1000 } as const;
    return rowOf(this.#chain.seal({ ...defaults, ...draft }, this.#settledTo));
  }

  /** So many rows of one draft. */
  rows(count: number, draft: Partial<Draft> = {}): Row[] {
    return Array.from({ length: count }, () => this.next(draft));
  }

  /** An attempt at a change, as a typical gateway records it. */
  attempt(requestId: string, draft: Partial<Draft> = {}): Row {
    return this.next({
      kind: "attempt",
      request_id: requestId,
      caller: "billing",
      credential_id: "0123456789abcdef",
      operation: "delete_api_app",
      permission: "apps.delete",
      api_app_id: "7300000000000000001",
      ...draft,
    });
  }

  /** The outcome of an attempt. */
  outcome({ stream, seq, request_id }: Row, draft: Partial<Draft> = {}): Row {
    return this.next({
      kind: "outcome",
      request_id: request_id ?? "unknown",
      caller: "billing",
      operation: "delete_api_app",
      api_app_id: "7300000000000000001",
      closes: { stream, seq },
      outcome: "done",
      status: 200,
      attempts: [{ attempt: 1, class: "ok", status: 200, code: 0, logid: `log${seq}`, ms: 12 }],
      ...draft,
    });
  }

  /** A create that went well, as its outcome tells. */
  created(app: string, caller: string, draft: Partial<Draft> = {}): Row {
    const operation = "create_api_app";
    const ids = { request_id: `create-${app}`, caller, operation, api_app_id: app };
    return this.next({ kind: "outcome", ...ids, outcome: "done", status: 200, owner: caller, ...draft });
  }

  /** What an operator says of the owner of an app; empty is nobody. */
  ownerChange(app: string, from: string, to: string, draft: Partial<Draft> = {}): Row {
    return this.next({
      kind: "owner",
      api_app_id: app,
      owner: to,
      previous_owner: from,
      operator: "alice",
      ...draft,
    });
  }
}
