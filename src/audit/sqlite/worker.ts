import { type MessagePort, parentPort, workerData } from "node:worker_threads";
import { StoreError } from "../store.ts";
import { SqliteEngine } from "./engine.ts";

/** What a worker is started with. */
export interface WorkerInput {
  readonly path: string;
  readonly open: "read" | "write" | "writeBeside";
}

/** What the opening tells. */
export type WorkerOpening = Pick<SqliteEngine, "repairedBytes" | "owned">;

/** The methods that a worker runs for the store. */
export type WorkerMethod = Exclude<keyof SqliteEngine, keyof WorkerOpening | "close">;

/** What a worker is asked to do. `close` ends it, without a reply. */
export type WorkerRequest =
  | { readonly id: number; readonly method: WorkerMethod; readonly args: readonly unknown[] }
  | { readonly method: "close" };

/** How it ended. The opening is told as the reply 0, with a `WorkerOpening`. */
export type WorkerReply =
  | { readonly id: number; readonly result: unknown }
  | { readonly id: number; readonly error: Pick<StoreError, "message" | "permanent" | "absent"> };

if (parentPort) await serve(parentPort, workerData);

async function serve(port: MessagePort, { path, open }: WorkerInput): Promise<void> {
  const reply = (id: number, run: () => unknown) => settle(id, run).then((told) => port.postMessage(told));
  await reply(0, () => {
    const engine = SqliteEngine[open](path);
    // A worker that did not open listens to nothing, and so ends by itself.
    port.on("message", (request: WorkerRequest) => {
      if (request.method === "close") {
        engine.close();
        port.close();
        return;
      }
      const method: (...args: never[]) => unknown = engine[request.method];
      void reply(request.id, () => Reflect.apply(method, engine, request.args));
    });
    const { repairedBytes, owned } = engine;
    return { repairedBytes, owned };
  });
}

async function settle(id: number, run: () => unknown): Promise<WorkerReply> {
  try {
    return { id, result: await run() };
  } catch (error) {
    const { message, permanent, absent } =
      error instanceof StoreError ? error : new StoreError(String(error));
    return { id, error: { message, permanent, absent } };
  }
}
