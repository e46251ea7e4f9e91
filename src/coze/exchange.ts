import type { IncomingHttpHeaders } from "node:http";
import { Client, type Dispatcher, errors, Pool } from "undici";

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
  /** Keeps no connection alive, so what it sends never meets one that is being closed. */
  readonly #freshPool: Pool;
  readonly #maxReplyBytes: number;

  constructor(options: CozeClientOptions) {
    this.#maxReplyBytes = options.maxReplyBytes ?? 4 * 1024 * 1024;
    const shared: Pool.Options = {
      connections: options.connections,
      factory: (origin, settings) => new CountingClient(origin, settings),
      allowH2: false,
      connect: { timeout: options.connectTimeoutMs },
      // Time is kept by each exchange itself: undici's timers are coarse below a second (PITFALLS).
      headersTimeout: 0,
      bodyTimeout: 0,
    };
    this.#pool = new Pool(options.origin, {
      ...shared,
      pipelining: 1,
      // Shorter than any server's usual idle time, so that its FIN seldom crosses a request (FAULTS 8).
      keepAliveTimeout: 4_000,
      keepAliveMaxTimeout: 30_000,
      // A connection is given up after this long, so that a changed DNS answer is noticed (FAULTS 3).
      clientTtl: 30_000,
    });
    this.#freshPool = new Pool(options.origin, { ...shared, pipelining: 0 });
  }

  /**
   * Sends one request and reads the whole reply. Never rejects and never takes longer than `timeoutMs`.
   * @param options.signal withdraws a request that nobody waits for any more.
   * @param options.fresh uses a connection of its own.
   */
  exchange(
    request: ExchangeRequest,
    timeoutMs: number,
    { signal, fresh = false }: { readonly signal?: AbortSignal | undefined; readonly fresh?: boolean } = {},
  ): Promise<Exchange> {
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
      const pool = fresh ? this.#freshPool : this.#pool;
      pool.dispatch(
        {
          method: request.method,
          path: request.target,
          headers: { ...request.headers },
          body: request.body ?? null,
          // undici would close the connection after each DELETE with a body, at 2.5 times the cost (PITFALLS).
          ...(!fresh && { reset: false }),
        },
        handler,
      );
    });
  }

  /** Closes all connections at once. */
  async close(): Promise<void> {
    await Promise.all([this.#pool.destroy(), this.#freshPool.destroy()]);
  }
}

/** A client, which has one connection at a time, that tells a request whether the connection has served before. */
class CountingClient extends Client {
  #served = 0;

  constructor(origin: URL, options: object) {
    super(origin, options);
    this.on("connect", () => {
      this.#served = 0;
    });
  }

  override dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
    if (handler instanceof ReplyCollector) handler.onStart = () => this.#served++ > 0;
    return super.dispatch(options, handler);
  }
}

/** Collects one reply from undici's events and settles once. */
class ReplyCollector implements Dispatcher.DispatchHandler {
  readonly #maxBytes: number;
  readonly #settle: (exchange: Exchange) => void;
  /** Called just before the first byte leaves; true when the connection has served before. */
  onStart: () => boolean = () => false;
  #controller: Dispatcher.DispatchController | undefined;
  #reused = false;
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
    this.#reused = this.onStart();
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
    const stale = failure === "reset" && this.#reused && this.#status === 0;
    this.#fail(stale ? "stale" : failure, detail);
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
