import { connect, type Socket } from "node:net";
import type { ReplyBody } from "../helpers/gateway.ts";

/** What came back on a socket until it was closed. */
export interface WireReply {
  /** 0 when nothing that looks like HTTP came. */
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
  readonly text: string;
  /** The parsed body, taken on trust: a reply without a field fails the test that looks at it. */
  readonly body: ReplyBody;
  /** All bytes, as Latin-1. */
  readonly bytes: string;
}

/** Opens a connection, sends the bytes as they are and waits until the other side closes. Text goes as Latin-1. */
export function exchange(port: number, bytes: string | Buffer): Promise<WireReply> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    let received = "";
    socket.on("data", (chunk) => {
      received += chunk.toString("latin1");
    });
    // The other side may reset the connection once it has said why; what it said counts.
    socket.on("error", () => undefined);
    socket.on("close", () => resolve(parse(received)));
    socket.write(typeof bytes === "string" ? Buffer.from(bytes, "latin1") : bytes);
  });
}

/** Opens a connection and sends the bytes; what comes back is read and dropped. */
export async function open(port: number, bytes: string): Promise<Socket> {
  const socket = connect(port, "127.0.0.1");
  socket.on("error", () => undefined);
  socket.resume();
  await new Promise((resolve) => socket.write(bytes, resolve));
  return socket;
}

function parse(bytes: string): WireReply {
  const [, status = "0", head = "", text = ""] =
    /^HTTP\/1\.1 (\d{3}) [^\r\n]+\r\n([\s\S]*?)\r\n\r\n([\s\S]*)$/.exec(bytes) ?? [];
  const headers = head.split("\r\n").map((line): [string, string] => {
    const at = line.indexOf(":");
    return [line.slice(0, at).toLowerCase(), line.slice(at + 1).trim()];
  });
  return { status: Number(status), headers: new Map(headers), text, body: asJson(text) as ReplyBody, bytes };
}

function asJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Waits until the condition holds; a condition that never does is ended by tap's own time limit. */
export async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 5));
}
