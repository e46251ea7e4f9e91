import { Client, type Dispatcher, Pool } from "undici";
import { type Exchange, ReplyCollector } from "./reply-collector.ts";

/** One HTTP request as it goes to Coze. */
export interface ExchangeRequest {
  readonly method: string;
  readonly target: string;
  /** All that is sent besides Host, Content-Length and Connection. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | undefined;
}

/** Where Coze is, and what is spent on it. */
export interface CozeClientOptions {
  readonly origin: string;
  readonly connections: number;
  /** Time for DNS, TCP and TLS together, in ms. */
  readonly connectTimeoutMs: number;
  /** Larger replies are cut off, in bytes. */
  readonly maxReplyBytes?: number;
}

/** How one exchange is made. */
export interface ExchangeOptions {
  /** Withdraws a request that nobody waits for any more. */
  readonly signal?: AbortSignal | undefined;
  /** Uses a connection of its own. */
  readonly fresh?: boolean;
  /**
   * Called once when the connection is free again. That can be later than the result: a request that was given up
   * while its connection was being opened stays with undici until that has succeeded or failed.
   */
  readonly onDone?: () => void;
}

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
    this.#maxReplyBytes = options.maxReplyBytes ?? 1024 * 1024;
    const shared: Pool.Options = {
      connections: options.connections,
      factory: (origin, settings) => new CountingClient(origin, settings),
      allowH2: false,
      // Said in so many words, as NODE_TLS_REJECT_UNAUTHORIZED=0 would otherwise hand the token to anybody.
      connect: { timeout: options.connectTimeoutMs, rejectUnauthorized: true },
      // Time is kept by each exchange itself: undici's timers are coarse below a second (PITFALLS).
      headersTimeout: 0,
      bodyTimeout: 0,
    };
    this.#pool = new Pool(options.origin, {
      ...shared,
      pipelining: 1,
      // Short, so that a server's FIN seldom crosses a request (FAULTS 8); one that announces its own idle time in
      // `Keep-Alive` is believed up to the second value.
      keepAliveTimeout: 4_000,
      keepAliveMaxTimeout: 30_000,
      // A connection is given up after this long, so that a changed DNS answer is noticed (FAULTS 3).
      clientTtl: 30_000,
    });
    this.#freshPool = new Pool(options.origin, { ...shared, pipelining: 0 });
  }

  /**
   * Sends one request and reads the whole reply. Never rejects and never takes longer than `timeoutMs`.
   */
  exchange(
    request: ExchangeRequest,
    timeoutMs: number,
    { signal, fresh = false, onDone = () => undefined }: ExchangeOptions = {},
  ): Promise<Exchange> {
    return new Promise((resolve) => {
      const handler = new ReplyCollector(
        this.#maxReplyBytes,
        (exchange) => {
          clearTimeout(timer);
          signal?.removeEventListener("abort", cancel);
          resolve(exchange);
        },
        onDone,
      );
      const cancel = () => handler.giveUp("canceled", "the caller is gone");
      const timer = setTimeout(
        () => handler.giveUp("timeout", `no whole reply within ${timeoutMs} ms`),
        timeoutMs,
      );
      signal?.addEventListener("abort", cancel, { once: true });
      if (signal?.aborted) {
        cancel();
        return onDone();
      }
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
