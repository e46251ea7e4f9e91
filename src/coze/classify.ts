import type { GatewayErrorName } from "../errors.ts";
import { type AttemptClass, cozeCodes, pathUnknownCode } from "./codes.ts";
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
  /** Whether Coze may have done what it was asked, whatever it says: then nobody may claim that it did not. */
  readonly mayHaveActed: boolean;
  /** One word or code on how the class was found, for the log. */
  readonly evidence: string;
}

/**
 * Sorts an exchange into the classes of DESIGN section 5. HTTP 5xx is a fault whatever the body says: Coze may have
 * acted before it failed. Otherwise a code that the table knows decides, since Coze sends errors with 200 too
 * (FACTS b); without one the status does.
 * @param now ms since the epoch, for a `Retry-After` date.
 */
export function classify(exchange: Exchange, now: number): AttemptResult {
  if (exchange.kind === "failure") return classifyFailure(exchange);
  const { status, headers, body } = exchange;
  const envelope = parseEnvelope(body);
  const succeeded = envelope?.code === 0 && status >= 200 && status < 300;
  return {
    ...(succeeded ? success : classifyRefusal(status, envelope)),
    status,
    code: envelope?.code,
    msg: envelope?.msg,
    logid: [headers["x-tt-logid"] ?? []].flat().map(asLogid).find(Boolean) ?? envelope?.logid,
    retryAfterMs: parseRetryAfter(headers["retry-after"], now),
    body: succeeded ? body : undefined,
    failure: undefined,
  };
}

function classifyFailure({ sent, failure, detail }: Exchange & { kind: "failure" }): AttemptResult {
  const nothingRead = {
    status: undefined,
    code: undefined,
    msg: undefined,
    logid: undefined,
    body: undefined,
  };
  const common = { ...nothingRead, retryAfterMs: undefined, failure, evidence: `${failure}: ${detail}` };
  if (!sent) return { ...common, class: "not_sent", error: "coze_unreachable", mayHaveActed: false };
  if (failure === "timeout") return { ...common, class: "lost", error: "coze_timeout", mayHaveActed: true };
  const broken = failure === "reset" || failure === "stale" || failure === "canceled";
  return {
    ...common,
    class: "lost",
    error: broken ? "coze_unavailable" : "coze_malformed",
    mayHaveActed: true,
  };
}

type Verdict = Pick<AttemptResult, "class" | "error" | "evidence" | "mayHaveActed">;

const success: Verdict = { class: "ok", error: undefined, evidence: "code 0", mayHaveActed: true };

function classifyRefusal(status: number, envelope: Envelope | undefined): Verdict {
  const evidence = `HTTP ${status}, ${envelope ? `code ${envelope.code}` : "no envelope"}`;
  const fault = { class: "fault", error: "coze_unavailable", evidence, mayHaveActed: true } as const;
  const malformed = { class: "lost", error: "coze_malformed", evidence, mayHaveActed: true } as const;
  if (status >= 500 || status === 408) return fault;
  // A success code under a failure status contradicts itself; believing either half could be wrong.
  if (envelope?.code === 0) return malformed;
  // What Coze answers for a path that it does not have (FACTS b): our address of it is wrong, not the caller's input.
  if (status === 404 && envelope?.code === pathUnknownCode) return refused("coze_error", evidence);
  const known = envelope && cozeCodes.get(envelope.code);
  if (known)
    return { class: known.class, error: known.error, evidence, mayHaveActed: known.class === "fault" };
  if (status === 401)
    return { class: "token_rejected", error: "coze_token_rejected", evidence, mayHaveActed: false };
  if (status === 429) return { class: "throttled", error: "coze_throttled", evidence, mayHaveActed: false };
  // A success status without a readable envelope says nothing about what Coze did.
  if (status < 300 && !envelope) return malformed;
  if (status === 403 && !envelope) return refused("coze_blocked", evidence);
  // A redirect can mean "done", and so can a code that nobody has explained; only 4xx says that it was not.
  return { ...refused("coze_error", evidence), mayHaveActed: status < 400 };
}

const refused = (error: GatewayErrorName, evidence: string): Verdict => ({
  class: "refused",
  error,
  evidence,
  mayHaveActed: false,
});
