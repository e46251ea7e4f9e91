import type { IncomingHttpHeaders } from "node:http";
import { type Dispatcher, errors, Pool } from "undici";

/** One HTTP request as it goes to Coze. */
export interface ExchangeRequest {
  readonly method: string;
  readonly target: string;
  /** A copy of what is sent besides Host, Content-Length and Connection. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | undefined;
}

/** Why no whole reply came. */
export type ExchangeFailure =
  | "connect"
  | "certificate"
  | "timeout"
  | "reset"
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

export interface CozeClientOptions {
  readonly origin: string;
  readonly connections: number;
  /** Time for DNS, TCP and TLS together, in ms. */
  readonly connectTimeoutMs: number;
  /** Larger replies are cut off, in bytes. */
  readonly maxReplyBytes?: number;
}

/** Node's codes for a certificate that does not verify: waiting does not mend it. */
const certificateCode = /^(CERT_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|ERR_TLS_CERT_|HOSTNAME_MISMATCH)/;

/**
 * HTTP to one origin, one exchange at a time asked for, never repeated here. It works on undici's `dispatch`, as that
 * tells the moment before the first byte leaves (`onRequestStart`) and can still withdraw the request then, which
 * `request()` with a signal cannot while the request waits for a connection (PITFALLS).
 */
export class CozeClient {
  readonly #pool: Pool;
  readonly #maxReplyBytes: number;

  constructor(options: CozeClientOptions) {
    this.#maxReplyBytes = options.maxReplyBytes ?? 4 * 1024 * 1024;
    this.#pool = new Pool(options.origin, {
      connections: options.connections,
      pipelining: 1,
      allowH2: false,
      connect: { timeout: options.connectTimeoutMs },
      // Shorter than any server's usual idle time, so that its FIN seldom crosses a request (FAULTS 8).
      keepAliveTimeout: 4_000,
      keepAliveMaxTimeout: 30_000,
      // A connection is given up after this long, so that a changed DNS answer is noticed (FAULTS 3).
      clientTtl: 30_000,
      // Time is kept by each exchange itself: undici's timers are coarse below a second (PITFALLS).
      headersTimeout: 0,
      bodyTimeout: 0,
    });
  }

  /**
   * Sends one request and reads the whole reply. Never rejects and never takes longer than `timeoutMs`.
   * @param signal withdraws a request that nobody waits for any more.
   */
  exchange(request: ExchangeRequest, timeoutMs: number, signal?: AbortSignal): Promise<Exchange> {
    return new Promise((resolve) => {
      const handler = new ReplyCollector(this.#maxReplyBytes, (exchange) => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", cancel);
        resolve(exchange);
      });
      const cancel = () => handler.giveUp("canceled", "the caller is gone");
      const timer = setTimeout(
        () => handler.giveUp("timeout", `no whole reply within ${timeoutMs} ms`),
        timeoutMs,
      );
      signal?.addEventListener("abort", cancel, { once: true });
      if (signal?.aborted) return cancel();
      this.#pool.dispatch(
        {
          method: request.method,
          path: request.target,
          headers: { ...request.headers },
          body: request.body ?? null,
          // undici would close the connection after each DELETE with a body, at 2.5 times the cost (PITFALLS).
          reset: false,
        },
        handler,
      );
    });
  }

  /** Closes all connections at once. */
  close(): Promise<void> {
    return this.#pool.destroy();
  }
}

/** Collects one reply from undici's events and settles once. */
class ReplyCollector implements Dispatcher.DispatchHandler {
  readonly #maxBytes: number;
  readonly #settle: (exchange: Exchange) => void;
  #controller: Dispatcher.DispatchController | undefined;
  #settled = false;
  #status = 0;
  #headers: IncomingHttpHeaders = {};
  #chunks: Buffer[] = [];
  #length = 0;

  constructor(maxBytes: number, settle: (exchange: Exchange) => void) {
    this.#maxBytes = maxBytes;
    this.#settle = settle;
  }

  /** Ends the exchange from our side; a request still waiting for a connection will not be sent any more. */
  giveUp(failure: ExchangeFailure, detail: string): void {
    this.#fail(failure, detail);
    this.#controller?.abort(new Error(detail));
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
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
  }

  onResponseError(_: unknown, error: Error): void {
    const [failure, detail] = describe(error, this.#controller !== undefined);
    this.#fail(failure, detail);
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
