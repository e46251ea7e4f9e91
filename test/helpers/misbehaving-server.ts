import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { createServer as createTlsServer, type TlsOptions } from "node:tls";
import type { Teardown } from "./gateway.ts";

/** One request as it stood on the wire, whole. */
export interface WireRequest {
  readonly method: string;
  readonly target: string;
  /** By lower-case name; the last of several. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** On which connection it came, counted from 1. */
  readonly connection: number;
}

/** Answers one request, well or badly, by writing to the socket, ending or resetting it, or doing nothing. */
export type Answer = (socket: Socket, request: WireRequest) => void;

export interface MisbehavingServer {
  readonly url: string;
  readonly port: number;
  /** Every whole request received so far. */
  readonly requests: WireRequest[];
  readonly connections: () => number;
  /** How many requests of one method came. */
  readonly count: (method: string) => number;
  /** From now on requests are answered like this. */
  readonly answerWith: (answer: Answer) => void;
}

export interface MisbehavingOptions {
  /** Sees each connection first; true when it has dealt with it and nothing is to be read from it. */
  readonly onConnection?: (socket: Socket, connection: number) => boolean;
  readonly tls?: TlsOptions;
}

/** A server on a free port that reads HTTP/1.1 requests and leaves every byte of the answer to the test. */
export async function startMisbehavingServer(
  t: Teardown,
  answer: Answer,
  { onConnection = () => false, tls }: MisbehavingOptions = {},
): Promise<MisbehavingServer> {
  const requests: WireRequest[] = [];
  const sockets = new Set<Socket>();
  let connections = 0;
  let answering = answer;
  const serve = (socket: Socket) => {
    const connection = ++connections;
    socket.setNoDelay(true);
    // The other side hangs up and resets as it likes; that is what is being tested.
    socket.on("error", () => undefined);
    if (onConnection(socket, connection)) return;
    let received = Buffer.alloc(0);
    socket.on("data", (chunk) => {
      received = Buffer.concat([received, chunk]);
      for (let cut = cutRequest(received, connection); cut; cut = cutRequest(received, connection)) {
        received = cut.rest;
        requests.push(cut.request);
        answering(socket, cut.request);
      }
    });
  };
  const server = tls ? createTlsServer(tls, serve) : createServer(serve);
  server.on("tlsClientError", () => undefined);
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined).on("close", () => sockets.delete(socket));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.teardown(async () => {
    server.close();
    for (const socket of sockets) socket.destroy();
    await once(server, "close");
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `${tls ? "https" : "http"}://127.0.0.1:${port}`,
    port,
    requests,
    connections: () => connections,
    count: (method) => requests.filter((request) => request.method === method).length,
    answerWith: (next) => {
      answering = next;
    },
  };
}

function cutRequest(
  bytes: Buffer,
  connection: number,
): { readonly request: WireRequest; readonly rest: Buffer<ArrayBuffer> } | undefined {
  const end = bytes.indexOf("\r\n\r\n");
  if (end < 0) return undefined;
  const [first = "", ...lines] = bytes.toString("latin1", 0, end).split("\r\n");
  const headers = Object.fromEntries(
    lines.map((line) => {
      const colon = line.indexOf(":");
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
    }),
  );
  const bodyEnd = end + 4 + Number(headers["content-length"] ?? 0);
  if (bytes.length < bodyEnd) return undefined;
  const [method = "", target = ""] = first.split(" ");
  const body = bytes.toString("utf8", end + 4, bodyEnd);
  return {
    request: { method, target, headers, body, connection },
    rest: Buffer.from(bytes.subarray(bodyEnd)),
  };
}

/** The bytes of a whole reply; a header's value may be a list, a header set to undefined is left out. */
export function wireReply(
  status: number,
  body: string,
  headers: Readonly<Record<string, string | readonly string[] | undefined>> = {},
): string {
  const all = {
    "content-type": "application/json; charset=utf-8",
    "content-length": String(Buffer.byteLength(body)),
    ...headers,
  };
  const lines = Object.entries(all).flatMap(([name, value]) =>
    [value ?? []].flat().map((each) => `${name}: ${each}\r\n`),
  );
  return `HTTP/1.1 ${status} Status\r\n${lines.join("")}\r\n${body}`;
}

/** Coze's envelope as a body. */
export function envelope(code: number | string, data?: unknown): string {
  return JSON.stringify({ code, msg: code === 0 ? "" : "fault", data, detail: { logid: "log-1" } });
}

/** An answer that is these bytes. */
export function bytes(text: string): Answer {
  return (socket) => void socket.write(text, "utf8");
}

/** An answer that is these bytes and then the end of the connection. */
export function bytesThenEnd(text: string): Answer {
  return (socket) => void socket.end(text, "utf8");
}

/** A success, as Coze would give it. */
export const success: Answer = bytes(wireReply(200, envelope(0, { items: [], has_more: false })));

/** A reset (RST) in place of an answer. */
export const reset: Answer = (socket) => void socket.resetAndDestroy();

/** No answer at all. */
export const silence: Answer = () => undefined;

/** The first answers in turn, then the last one for ever. */
export function inTurn(...answers: readonly [Answer, ...Answer[]]): Answer {
  let at = 0;
  return (socket, request) => {
    const answer = answers[Math.min(at, answers.length - 1)] ?? answers[0];
    at += 1;
    answer(socket, request);
  };
}
