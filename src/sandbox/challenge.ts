import { randomUUID } from "node:crypto";
import { isObject } from "./input.ts";
import { badParameter } from "./reply.ts";

const maxReplyBytes = 4096;

/** Refuses a callback URL that does not echo the `url_verification` challenge in time (FACTS (e)). */
export async function verifyCallbackUrl(url: string, timeoutMs: number): Promise<void> {
  const challenge = randomUUID();
  const echoed = await post(url, challenge, timeoutMs).catch((error: Error) => {
    throw badParameter(`callback_url verification failed: ${reason(error)}`);
  });
  if (echoed !== challenge) {
    throw badParameter("callback_url verification failed: the reply does not echo the challenge");
  }
}

async function post(url: string, challenge: string, timeoutMs: number): Promise<unknown> {
  const header = { event_type: "url_verification", event_id: randomUUID(), created_at: Date.now() };
  const response = await fetch(url, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ header, event: { challenge } }),
    redirect: "error",
    signal: AbortSignal.timeout(timeoutMs),
  });
  const body = await readShort(response);
  if (response.status !== 200) throw new Error(`the reply has HTTP status ${response.status}`);
  const reply: unknown = JSON.parse(body);
  return isObject(reply) ? reply["challenge"] : undefined;
}

async function readShort(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body ?? []) {
    chunks.push(chunk);
    size += chunk.length;
    if (size > maxReplyBytes) throw new Error(`the reply is longer than ${maxReplyBytes} bytes`);
  }
  return Buffer.concat(chunks).toString();
}

function reason(error: Error): string {
  if (error.name === "TimeoutError") return "challenge was not returned in time";
  return error.cause instanceof Error ? error.cause.message : error.message;
}
