import { randomBytes } from "node:crypto";

/** What Coze says, before it is put on the wire. `status` is absent where the code alone decides it. */
export interface Answer {
  readonly code: number | string;
  readonly msg: string;
  readonly status?: number;
  readonly data?: unknown;
}

/** One HTTP reply, complete. */
export interface HttpReply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

const tokenInvalid = 700012006;

/** Business errors travel with HTTP 200 unless seen otherwise (callback-app-examples.json). */
const statuses: ReadonlyMap<number | string, number> = new Map([
  [4000, 400],
  [tokenInvalid, 401],
]);

/** An answer other than success, thrown by whatever finds the fault. */
export class Refusal extends Error {
  readonly answer: Answer;

  constructor(code: number, msg: string, status?: number) {
    super(msg);
    this.name = "Refusal";
    this.answer = status === undefined ? { code, msg } : { code, msg, status };
  }
}

/** Code 4000: the input is wrong (FACTS (b)). */
export function badParameter(msg: string): Refusal {
  return new Refusal(4000, msg);
}

/** Code 4000 with HTTP 404: no such path (FACTS (b)). */
export function unknownPath(method: string, path: string): Refusal {
  return new Refusal(4000, `no such API: ${method} ${path}`, 404);
}

/** Code 4200: no such app, or another account's (callback-app-examples.json). */
export function unknownApp(id: string): Refusal {
  return new Refusal(4200, `Requested resource api_app_id=${id} does not exist.`);
}

/** Code 4101: the token lacks the permission (callback-app-examples.json). */
export function permissionMissing(): Refusal {
  return new Refusal(4101, "The token you entered is incorrect. Please check it and its permissions.");
}

/** Code 700012006: token missing, wrong or expired (callback-app-examples.json). */
export function accessTokenInvalid(): Refusal {
  return new Refusal(tokenInvalid, "access token invalid");
}

/** The answer that an error stands for: its own when it is a refusal, else code 5000, server fault (FACTS (b)). */
export function answerTo(error: unknown): Answer {
  if (error instanceof Refusal) return error.answer;
  return { code: 5000, msg: `Server error, please try again later. (${String(error)})`, status: 500 };
}

/** A new log id: 14 digits of local time, then 20 upper-case hex digits (FACTS (a)). */
export function newLogid(now: Date = new Date()): string {
  const time = [now.getMonth() + 1, now.getDate(), now.getHours(), now.getMinutes(), now.getSeconds()].map(
    (part) => String(part).padStart(2, "0"),
  );
  return `${now.getFullYear()}${time.join("")}${randomBytes(10).toString("hex").toUpperCase()}`;
}

/** The answer in Coze's envelope; `access token invalid` was only ever seen without `detail` (callback-app-examples.json). */
export function toReply(answer: Answer, logid: string): HttpReply {
  const { code, msg, data } = answer;
  const detail = code === tokenInvalid ? undefined : { logid };
  return {
    status: answer.status ?? statuses.get(code) ?? 200,
    headers: { "Content-Type": "application/json; charset=utf-8", "X-Tt-Logid": logid },
    body: JSON.stringify({ code, msg, data, detail }),
  };
}
