import type { Test } from "tap";
import type { TestGateway, TestReply } from "../helpers/gateway.ts";

/** One call of each retry class, by its method. */
export const calls = {
  GET: { path: "/v1/api_apps", body: undefined },
  DELETE: { path: "/v1/api_apps/7512345678901234567", body: undefined },
  POST: { path: "/v1/api_apps", body: { app_type: "normal", name: "one" } },
} as const;

export type Method = keyof typeof calls;
export const methods: readonly Method[] = ["GET", "DELETE", "POST"];

/** Makes the call that stands for a retry class: GET is safe, DELETE idempotent, POST once. */
export function callBy(
  gateway: TestGateway,
  method: Method,
  headers?: Record<string, string>,
): Promise<TestReply> {
  const { path, body } = calls[method];
  return gateway.call(method, path, body, headers);
}

/** What a caller can branch on. */
export interface Verdict {
  readonly status: number;
  readonly error: string | undefined;
  readonly outcome: string | undefined;
  readonly attempts: number;
  readonly stopped: string | undefined;
}

/** Reads a reply's verdict and checks what holds for every failure: JSON, no HTML, the same count in body and header. */
export function verdictOf(t: Test, reply: TestReply | undefined): Verdict {
  if (!reply) throw new Error("no reply");
  t.match(reply.headers.get("content-type"), /^application\/json/);
  t.notMatch(reply.text, /</, "no HTML");
  t.equal(typeof reply.body.code, "number");
  const { error, outcome, attempts, stopped } = reply.body.gateway;
  t.equal(reply.headers.get("x-gateway-attempts"), String(attempts));
  return { status: reply.status, error, outcome, attempts, stopped };
}

/** Lines of the log with this event. */
export function logged(gateway: TestGateway, event: string): Record<string, unknown>[] {
  return gateway.lines().filter((line) => line["event"] === event);
}
