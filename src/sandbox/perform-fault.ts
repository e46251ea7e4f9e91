import type { ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import type { FastifyReply } from "fastify";
import type { Fault } from "./fault.ts";
import { type HttpReply, toReply } from "./reply.ts";

/** Lets the fault happen to this call; `operate` performs the operation and gives Coze's real reply. */
export async function performFault(
  fault: Fault,
  reply: FastifyReply,
  operate: () => Promise<HttpReply>,
): Promise<void> {
  // From here on the fault alone writes to the socket.
  reply.hijack();
  const instead = replyInstead(fault, reply.request.id);
  const effect = fault.reset === undefined ? fault.after_effect || !instead : fault.reset === "after_effect";
  const real = effect ? await operate() : undefined;
  await wait(fault.delay_ms);
  // A caller that hung up has taken the socket with it, and writing to it would raise an error.
  if (reply.raw.destroyed) return;
  const answer = instead ?? real;
  const { socket } = reply.request.raw;
  if (fault.reset !== undefined || answer === undefined) socket.resetAndDestroy();
  else if (fault.raw !== undefined) socket.end(fault.raw, "latin1");
  else await write(reply.raw, socket, answer, fault);
}

/** What is answered in place of the real reply; undefined when the real reply goes out, however badly. */
function replyInstead(fault: Fault, logid: string): HttpReply | undefined {
  const { code, msg, body } = fault;
  if (fault.html) return htmlPage(fault.status ?? 504);
  if (code !== undefined || msg !== undefined) {
    const reply = toReply({ code: code ?? 5000, msg: msg ?? "fault on demand" }, logid);
    const status = fault.status ?? reply.status;
    return { ...reply, status, body: body ?? reply.body };
  }
  if (fault.status === undefined && body === undefined && fault.raw === undefined) return undefined;
  return {
    status: fault.status ?? 200,
    headers: { "Content-Type": "application/json; charset=utf-8", "X-Tt-Logid": logid },
    body: body ?? "",
  };
}

/** A front proxy's page: HTML, and no logid (FACTS (a), coze-java issue 81). */
function htmlPage(status: number): HttpReply {
  const title = `${status} ${status === 504 ? "Gateway Time-out" : "Bad Gateway"}`;
  return {
    status,
    headers: { "Content-Type": "text/html" },
    body: `<html><head><title>${title}</title></head><body><h1>${title}</h1></body></html>`,
  };
}

async function write(raw: ServerResponse, socket: Socket, answer: HttpReply, fault: Fault): Promise<void> {
  const body = Buffer.from(answer.body);
  const type = fault.content_type === undefined ? {} : { "Content-Type": fault.content_type };
  const length = { "Content-Length": String(body.length) };
  // One after the other, so that a fault's header replaces the reply's own whatever its letter case.
  for (const headers of [answer.headers, length, type, fault.headers ?? {}]) {
    raw.setHeaders(new Map(Object.entries(headers)));
  }
  raw.writeHead(answer.status);
  raw.flushHeaders();
  if (fault.truncate !== undefined) {
    raw.write(body.subarray(0, fault.truncate));
    socket.destroySoon();
  } else if (fault.drip_ms !== undefined) {
    await drip(raw, body, fault.drip_ms);
  } else {
    raw.end(body);
  }
}

async function drip(raw: ServerResponse, body: Buffer, ms: number): Promise<void> {
  for (let at = 0; at < body.length && !raw.destroyed; at += 1) {
    raw.write(body.subarray(at, at + 1));
    await wait(ms);
  }
  raw.end();
}

/** Unreferenced: a wait keeps no process alive once its connection is gone. */
async function wait(ms: number | undefined): Promise<void> {
  if (ms !== undefined) await sleep(ms, undefined, { ref: false });
}
