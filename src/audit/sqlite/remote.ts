import { Worker } from "node:worker_threads";
import { StoreError } from "../store.ts";
import type { SqliteEngine } from "./engine.ts";
import type { WorkerInput, WorkerMethod, WorkerOpening, WorkerReply, WorkerRequest } from "./worker.ts";

/** Somebody who waits for a reply. */
interface Pending {
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: StoreError) => void;
}

/** What a method gives in the end. */
type Result<M extends WorkerMethod> = Awaited<ReturnType<SqliteEngine[M]>>;

/** A store that a worker thread has open, as the main thread sees it. */
export class SqliteRemote {
  readonly #path: string;
  readonly #worker: Worker;
  readonly #ended: Promise<void>;
  readonly #pending = new Map<number, Pending>();
  #lastId = 0;
  /** Why nothing can be asked any more; undefined while the thread works. */
  #end: StoreError | undefined;

  private constructor(script: URL, input: WorkerInput) {
    this.#path = input.path;
    // Loaders and hooks of the main thread would only slow its start down.
    this.#worker = new Worker(script, { workerData: input, execArgv: [] });
    this.#worker.on("message", (reply: WorkerReply) => this.#settle(reply));
    this.#worker.on("error", (cause) => this.#endFor(`its thread failed: ${cause}`));
    this.#ended = new Promise((resolve) => {
      this.#worker.on("exit", () => {
        const end = this.#endFor("its thread ended");
        for (const { reject } of this.#pending.values()) reject(end);
        this.#pending.clear();
        resolve();
      });
    });
  }

  /** Whether the thread has ended, so that nothing can be asked any more. */
  get isOver(): boolean {
    return this.#end !== undefined;
  }

  /** Starts the thread, and gives what opening the store told. */
  static async open(
    script: URL,
    input: WorkerInput,
  ): Promise<{ readonly remote: SqliteRemote } & WorkerOpening> {
    const remote = new SqliteRemote(script, input);
    return { remote, ...((await remote.#reply(0)) as WorkerOpening) };
  }

  /** Asks the thread to run a method of the store; they are begun in the order of the calls. */
  call<M extends WorkerMethod>(method: M, ...args: Parameters<SqliteEngine[M]>): Promise<Result<M>> {
    const id = ++this.#lastId;
    const reply = this.#reply(id);
    this.#post({ id, method, args });
    // What crosses between threads has no type; the worker runs the method of this name.
    return reply as Promise<Result<M>>;
  }

  /** Ends the thread after what it was asked before. */
  async close(): Promise<void> {
    this.#endFor("it is closed");
    this.#post({ method: "close" });
    await this.#ended;
  }

  #post(request: WorkerRequest): void {
    this.#worker.postMessage(request);
  }

  #reply(id: number): Promise<unknown> {
    if (this.#end) return Promise.reject(this.#end);
    return new Promise((resolve, reject) => this.#pending.set(id, { resolve, reject }));
  }

  #settle(reply: WorkerReply): void {
    const pending = this.#pending.get(reply.id);
    this.#pending.delete(reply.id);
    if ("error" in reply) pending?.reject(new StoreError(reply.error.message, reply.error));
    else pending?.resolve(reply.result);
  }

  /** Nothing can be asked from now on; the first reason stays. */
  #endFor(reason: string): StoreError {
    this.#end ??= new StoreError(`audit store ${this.#path}: ${reason}`, { permanent: true });
    return this.#end;
  }
}
