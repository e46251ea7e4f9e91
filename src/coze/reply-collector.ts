import type { IncomingHttpHeaders } from "node:http";
import { type Dispatcher, errors } from "undici";

/** Why no whole reply came. */
export type ExchangeFailure =
  | "connect"
  | "certificate"
  | "timeout"
  | "reset"
  /** A connection that had served before was closed just as it was used again: the usual keep-alive race. */
  | "stale"
  | "bad_http"
  | "too_large"
  | "encoded"
  | "leak"
  | "canceled";

/** What one exchange gave: a whole reply, or a failure and whether bytes of the request may have left. */
export type Exchange =
  | {
      readonly kind: "reply";
      readonly status: number;
      readonly headers: IncomingHttpHeaders;
      readonly body: Buffer;
    }
  | {
      readonly kind: "failure";
      readonly failure: ExchangeFailure;
      readonly sent: boolean;
      readonly detail: string;
    };

/** Node's codes for a certificate that does not verify: waiting does not mend it. */
const certificateCode = /^(CERT_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|ERR_TLS_CERT_|HOSTNAME_MISMATCH)/;

/** A connection that was being closed fails within a round trip; what fails later had been taken up by Coze. */
const staleWithinMs = 250;

/** Collects one reply from undici's events and settles once. */
export class ReplyCollector implements Dispatcher.DispatchHandler {
  readonly #maxBytes: number;
  readonly #settle: (exchange: Exchange) => void;
  readonly #done: () => void;
  /** Called just before the first byte leaves; true when the connection has served before. */
  onStart: () => boolean = () => false;
  #controller: Dispatcher.DispatchController | undefined;
  #reused = false;
  #startedAt = 0;
  #settled = false;
  #status = 0;
  #headers: IncomingHttpHeaders = {};
  #chunks: Buffer[] = [];
  #length = 0;

  /**
   * @param settle gets the result, once.
   * @param done is called, once, when undici has let go of the request.
   */
  constructor(maxBytes: number, settle: (exchange: Exchange) => void, done: () => void) {
    this.#maxBytes = maxBytes;
    this.#settle = settle;
    this.#done = done;
  }

  /** Ends the exchange from our side; a request still waiting for a connection will not be sent any more. */
  giveUp(failure: ExchangeFailure, detail: string): void {
    this.#fail(failure, detail);
    this.#controller?.abort(new Error(detail));
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    this.#reused = this.onStart();
    this.#startedAt = performance.now();
    if (this.#settled) controller.abort(new Error("given up before it was sent"));
  }

  onResponseStart(_: unknown, status: number, headers: IncomingHttpHeaders): void {
    this.#status = status;
    this.#headers = headers;
    // We ask for `identity`; decoding what comes anyway would open the door to a bomb (FAULTS 25).
    const encoding = headers["content-encoding"];
    if (encoding !== undefined && encoding !== "identity") {
      this.giveUp("encoded", "the reply is compressed, which was not asked for");
    }
  }

  onResponseData(_: unknown, chunk: Buffer): void {
    this.#length += chunk.length;
    if (this.#length > this.#maxBytes)
      this.giveUp("too_large", `the reply is larger than ${this.#maxBytes} bytes`);
    else this.#chunks.push(chunk);
  }

  onResponseEnd(): void {
    const [only] = this.#chunks;
    const body = only && this.#chunks.length === 1 ? only : Buffer.concat(this.#chunks, this.#length);
    this.#end({ kind: "reply", status: this.#status, headers: this.#headers, body });
    this.#done();
  }

  onResponseError(_: unknown, error: Error): void {
    const [failure, detail] = describe(error, this.#controller !== undefined);
    const soon = performance.now() - this.#startedAt < staleWithinMs;
    const stale = failure === "reset" && this.#reused && this.#status === 0 && soon;
    this.#fail(stale ? "stale" : failure, detail);
    this.#done();
  }

  #fail(failure: ExchangeFailure, detail: string): void {
    this.#end({ kind: "failure", failure, sent: this.#controller !== undefined, detail });
  }

  #end(exchange: Exchange): void {
    if (this.#settled) return;
    this.#settled = true;
    this.#settle(exchange);
  }
}

/** Sorts undici's and Node's errors. The detail is made of codes only: messages can quote what was sent. */
function describe(error: Error, sent: boolean): [ExchangeFailure, string] {
  const code = "code" in error && typeof error.code === "string" ? error.code : error.name;
  if (certificateCode.test(code)) return ["certificate", code];
  if (!sent) return ["connect", code];
  if (error instanceof errors.HTTPParserError || /^(HPE|UND_ERR_RES)/.test(code)) return ["bad_http", code];
  return ["reset", code];
}
