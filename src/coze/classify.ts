import type { GatewayErrorName } from "../errors.ts";
import { type AttemptClass, type CozeCode, cozeCodes } from "./codes.ts";
import { asLogid, type Envelope, parseEnvelope } from "./envelope.ts";
import type { Exchange, ExchangeFailure } from "./reply-collector.ts";
import { parseRetryAfter } from "./retry-after.ts";

/** What one attempt came to. Only class `ok` has a body, and only the others an error. */
export interface AttemptResult {
  readonly class: AttemptClass;
  /** The gateway's word for it, should it be the last; undefined when `ok`. */
  readonly error: GatewayErrorName | undefined;
  readonly status: number | undefined;
  /** Coze's own code and text, when its envelope could be read. */
  readonly code: number | undefined;
  readonly msg: string | undefined;
  readonly logid: string | undefined;
  readonly retryAfterMs: number | undefined;
  /** Coze's bytes as they came; undefined unless `ok`. */
  readonly body: Buffer | undefined;
  /** Why no whole reply came, when none did. */
  readonly failure: ExchangeFailure | undefined;
  /** One word or code on how the class was found, for the log. */
  readonly evidence: string;
}

const nothingRead = {
  status: undefined,
  code: undefined,
  msg: undefined,
  logid: undefined,
  retryAfterMs: undefined,
  body: undefined,
};

/**
 * Sorts an exchange into the classes of DESIGN section 5. A code that the table knows decides whatever the HTTP
 * status, since Coze sends errors with 200 too (FACTS b); without one the status does.
 * @param now ms since the epoch, for a `Retry-After` date.
 */
export function classify(exchange: Exchange, now: number): AttemptResult {
  if (exchange.kind === "failure") {
    const { sent, failure, detail } = exchange;
    const evidence = `${failure}: ${detail}`;
    if (!sent) return { ...nothingRead, failure, class: "not_sent", error: "coze_unreachable", evidence };
    if (failure === "timeout")
      return { ...nothingRead, failure, class: "lost", error: "coze_timeout", evidence };
    const broken = failure === "reset" || failure === "stale" || failure === "canceled";
    return {
      ...nothingRead,
      failure,
      class: "lost",
      error: broken ? "coze_unavailable" : "coze_malformed",
      evidence,
    };
  }
  const { status, headers, body } = exchange;
  const envelope = parseEnvelope(body);
  const read = {
    status,
    code: envelope?.code,
    msg: envelope?.msg,
    logid: [headers["x-tt-logid"] ?? []].flat().map(asLogid).find(Boolean) ?? envelope?.logid,
    retryAfterMs: parseRetryAfter(headers["retry-after"], now),
    body: undefined,
    failure: undefined,
  };
  if (envelope?.code === 0 && status >= 200 && status < 300) {
    return { ...read, class: "ok", error: undefined, body, evidence: "code 0" };
  }
  return { ...read, ...(byCode(envelope) ?? byStatus(status, envelope)) };
}

type Verdict = Pick<AttemptResult, "class" | "error" | "evidence">;

function byCode(envelope: Envelope | undefined): Verdict | undefined {
  const known: CozeCode | undefined = envelope && cozeCodes.get(envelope.code);
  return known && { class: known.class, error: known.error, evidence: `code ${envelope?.code}` };
}

function byStatus(status: number, envelope: Envelope | undefined): Verdict {
  const evidence = `HTTP ${status}${envelope ? `, code ${envelope.code}` : ", no envelope"}`;
  if (status === 401) return { class: "token_rejected", error: "coze_token_rejected", evidence };
  if (status === 429) return { class: "throttled", error: "coze_throttled", evidence };
  if (status >= 500 || status === 408) return { class: "fault", error: "coze_unavailable", evidence };
  // A success status without a readable envelope says nothing about what Coze did.
  if (status < 300 && !envelope) return { class: "lost", error: "coze_malformed", evidence };
  if (status === 403 && !envelope) return { class: "refused", error: "coze_blocked", evidence };
  // A success code under a failure status contradicts itself; believing either half could be wrong.
  if (envelope?.code === 0) return { class: "lost", error: "coze_malformed", evidence };
  return { class: "refused", error: "coze_error", evidence };
}
