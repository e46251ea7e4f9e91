import { type Dispatcher, Pool } from "undici";
import type { EndpointFiles } from "./endpoint-files.ts";

/** Where an issuer answers, and how it is met. */
export interface EndpointOptions {
  readonly url: string;
  readonly files: EndpointFiles;
  readonly timeoutMs: number;
  /** Larger replies are cut off, in bytes. */
  readonly maxReplyBytes: number;
}

/** Connections at one time; more exchanges wait, and their time runs. */
const connections = 16;

/** One HTTP endpoint of an issuer. Redirects are not followed: they could lead to keys of somebody else. */
export class Endpoint {
  readonly #options: EndpointOptions;
  readonly #url: URL;
  readonly #underWay = new Set<AbortController>();
  #closed = false;
  #pool: Pool | undefined;
  /** The authorities that the pool trusts. */
  #trusted: string | undefined;

  constructor(options: EndpointOptions) {
    this.#options = options;
    this.#url = new URL(options.url);
  }

  /**
   * Sends one request and reads the whole reply, which has to be a 200 or 201.
   * @param body sent as JSON by POST; a GET when undefined.
   * @throws Error with a message that is safe to log: messages of undici and Node can quote what was sent.
   */
  async exchange(body?: unknown): Promise<Buffer> {
    const { authorities, bearer } = await this.#options.files.read();
    if (this.#closed) throw new Failure("closed");
    const attempt = new AbortController();
    const { signal } = attempt;
    this.#underWay.add(attempt);
    const timer = setTimeout(() => attempt.abort(new Failure("timeout")), this.#options.timeoutMs);
    // undici does not heed the signal while a request waits for a connection (PITFALLS).
    const givenUp = new Promise<never>((_, reject) => {
      signal.addEventListener("abort", () => reject(signal.reason), { once: true });
    });
    const reply = this.#poolFor(authorities).request({
      method: body === undefined ? "GET" : "POST",
      path: this.#url.pathname + this.#url.search,
      headers: {
        // Kubernetes gives its keys as the former alone, and answers 406 to who takes no more than JSON.
        accept: "application/jwk-set+json, application/json",
        ...(bearer && { authorization: `Bearer ${bearer.reveal()}` }),
        ...(body !== undefined && { "content-type": "application/json" }),
      },
      body: body === undefined ? null : JSON.stringify(body),
      signal,
    });
    return Promise.race([givenUp, reply.then(read)])
      .catch((error: NodeJS.ErrnoException) => {
        throw error instanceof Failure ? error : new Failure(error.code ?? error.name);
      })
      .finally(() => {
        clearTimeout(timer);
        this.#underWay.delete(attempt);
      });
  }

  /** Cuts what is under way. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const attempt of this.#underWay) attempt.abort(new Failure("closed"));
    await this.#options.files.close();
    await this.#pool?.destroy();
  }

  /** The pool that trusts these authorities; one that trusted others finishes what it has. */
  #poolFor(ca: string | undefined): Pool {
    if (this.#pool && this.#trusted === ca) return this.#pool;
    void this.#pool?.close();
    this.#trusted = ca;
    this.#pool = new Pool(this.#url.origin, {
      connections,
      pipelining: 1,
      allowH2: false,
      // Said in so many words, as NODE_TLS_REJECT_UNAUTHORIZED=0 would otherwise take keys from anybody.
      connect: { timeout: this.#options.timeoutMs, rejectUnauthorized: true, ...(ca && { ca }) },
      // Time is kept by each exchange itself.
      headersTimeout: 0,
      bodyTimeout: 0,
      maxResponseSize: this.#options.maxReplyBytes,
      keepAliveTimeout: 4_000,
      clientTtl: 30_000,
    });
    return this.#pool;
  }
}

/** Its message is made here, of codes only. */
class Failure extends Error {}

async function read(reply: Dispatcher.ResponseData): Promise<Buffer> {
  const { statusCode, body } = reply;
  if (statusCode === 200 || statusCode === 201) return Buffer.from(await body.arrayBuffer());
  // A body that nobody reads would hold its connection.
  body.on("error", () => undefined).destroy();
  throw new Failure(`HTTP ${statusCode}`);
}
