import type { FastifyRequest } from "fastify";

/** One call as it was received. */
export interface RecordedCall {
  readonly method: string;
  /** Path and query as sent. */
  readonly url: string;
  /** Name and value, in the order and the letter case sent. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: string;
  readonly logid: string;
}

/** The body as sent, empty when there was none. */
export function bodyOf(request: FastifyRequest): string {
  return typeof request.body === "string" ? request.body : "";
}

/** Puts the call at the end of the list and drops the oldest beyond `max`. */
export function record(calls: RecordedCall[], request: FastifyRequest, max: number): void {
  const { rawHeaders } = request.raw;
  calls.push({
    method: request.method,
    url: request.originalUrl,
    headers: Array.from({ length: rawHeaders.length / 2 }, (_, at) => [
      String(rawHeaders[2 * at]),
      String(rawHeaders[2 * at + 1]),
    ]),
    body: bodyOf(request),
    logid: request.id,
  });
  if (calls.length > max) calls.shift();
}
