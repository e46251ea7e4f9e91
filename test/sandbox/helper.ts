import { once } from "node:events";
import { connect } from "node:net";
import type { FastifyInstance } from "fastify";
import { buildSandbox, type SandboxOptions } from "../../src/sandbox/coze.ts";

/** What tap gives a test, as far as it is needed here. */
interface Scope {
  teardown(end: () => unknown): void;
}

/** One reply as seen by a client; `json` is the parsed body, or undefined when it is not JSON. */
export interface Seen {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  readonly json: Record<string, unknown> | undefined;
}

export const tokens: SandboxOptions["tokens"] = new Map<string, ReadonlySet<string> | "all">([
  ["sat_all", "all"],
  ["sat_list", new Set(["listApiApp"])],
]);

/** What tap's `throws` and `rejects` should find: a refusal with this code and message. */
export function refusal(code: number, message: string | RegExp): { message: string | RegExp } {
  return Object.assign({ message }, { answer: { code } });
}

/** Puts the app on a free port until the test ends; gives its address. */
export async function listen(t: Scope, app: FastifyInstance): Promise<string> {
  t.teardown(() => app.close());
  return app.listen({ port: 0, host: "127.0.0.1" });
}

/** Puts a sandbox on a free port and gives a client for it that holds every permission. */
export async function startSandbox(t: Scope, options: Partial<SandboxOptions> = {}) {
  const app = buildSandbox({ tokens, ...options });
  const base = await listen(t, app);
  const call = async (
    method: string,
    path: string,
    body?: unknown,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<Seen> => {
    const response = await fetch(base + path, {
      method,
      headers: { authorization: "Bearer sat_all", "content-type": "application/json", ...headers },
      body: body === undefined || typeof body === "string" ? (body ?? null) : JSON.stringify(body),
      redirect: "manual",
    });
    const received = await response.text();
    return { status: response.status, headers: response.headers, text: received, json: parse(received) };
  };
  const create = async (name = "order events"): Promise<string> => {
    const { json } = await call("POST", "/v1/api_apps", { app_type: "normal", name });
    return (json as { data: { id: string } }).data.id;
  };
  return { app, base, port: Number(new URL(base).port), call, create, ...app.sandbox };
}

/** Writes the text to the port as it is; gives all that came back, and the error code if the connection ended in one. */
export async function exchange(port: number, request: string): Promise<{ text: string; error?: string }> {
  const socket = connect(port, "127.0.0.1");
  await once(socket, "connect");
  let received = "";
  socket.on("data", (chunk) => {
    received += chunk.toString("latin1");
  });
  const failed = once(socket, "error").then(([error]) => (error as NodeJS.ErrnoException).code ?? "");
  const closed = once(socket, "end").then(() => undefined);
  socket.write(request);
  const error = await Promise.race([failed, closed.catch(() => failed)]);
  socket.destroy();
  return error === undefined ? { text: received } : { text: received, error };
}

/** A GET of all apps as it stands on the wire. */
export const listRequest = "GET /v1/api_apps HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer sat_all\r\n\r\n";

function parse(received: string): Record<string, unknown> | undefined {
  try {
    return JSON.parse(received);
  } catch {
    return undefined;
  }
}
