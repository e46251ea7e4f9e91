import type { GatewayErrorName } from "../errors.ts";

/**
 * How an attempt ended, as far as trying again is concerned (DESIGN section 5). `not_sent`: no byte of it left.
 * `lost`: bytes may have left and no readable answer came. The rest is what Coze answered.
 */
export type AttemptClass = "ok" | "not_sent" | "throttled" | "fault" | "lost" | "token_rejected" | "refused";

/** One line of the table of Coze's codes. `source` uses the marks of FACTS: D docs, S SDK, I issue, O observed, ? third party. */
export interface CozeCode {
  readonly class: AttemptClass;
  readonly error: GatewayErrorName;
  readonly meaning: string;
  readonly source: string;
}

/** Makes lines of the table that differ in meaning and source only. */
const kind =
  (as: AttemptClass, error: GatewayErrorName) =>
  (meaning: string, source = "D"): CozeCode => ({ class: as, error, meaning, source });

const invalid = kind("refused", "coze_invalid_request");
const notFound = kind("refused", "coze_not_found");
const conflict = kind("refused", "coze_conflict");
const quota = kind("refused", "coze_quota");
const blocked = kind("refused", "coze_blocked");
const permission = kind("refused", "coze_permission_missing");
const throttled = kind("throttled", "coze_throttled");
const fault = kind("fault", "coze_unavailable");
const tokenRejected = kind("token_rejected", "coze_token_rejected");

/** Coze's "this token lacks a permission", sent for a wrong token too. */
export const permissionMissingCode = 4101;

/** Coze's "bad parameter", and with HTTP 404 its "no such path". */
export const pathUnknownCode = 4000;

/** Every code of Coze that is known, from FACTS (b). A code that is not here is `coze_error` and is not tried again. */
export const cozeCodes: ReadonlyMap<number, CozeCode> = new Map([
  [pathUnknownCode, invalid("bad parameter", "D, O")],
  [4001, notFound("chat")],
  [4002, notFound("conversation")],
  [4003, invalid("meta_data over the limit")],
  [4004, invalid("additional_messages over the limit")],
  [4005, notFound("message")],
  [4006, notFound("bot")],
  [4007, invalid("stream=false needs auto_save_history=true")],
  [4008, quota("daily limit of the bot")],
  [4009, throttled("system at its request ceiling")],
  [4010, invalid("prompt too long")],
  [4011, quota("token balance used up")],
  [4012, invalid("model invalid or withdrawn")],
  [4013, throttled("model error, earlier: request rate exceeded", "D, S")],
  [4014, invalid("bot cannot answer")],
  [4015, invalid("bot not published to the API")],
  [4016, conflict("a chat is running in this conversation")],
  [4019, quota("pay-as-you-go balance")],
  [4020, throttled("requests per minute above what was bought")],
  [4021, invalid("workflow not configured")],
  [4022, quota("model account in arrears")],
  [4027, quota("account in arrears")],
  [4028, quota("free credits used up", "D, I")],
  [4029, conflict("realtime room closed")],
  [4033, quota("shown beside the quota codes", "S")],
  [4100, tokenRejected("token not valid", "D, O, I")],
  [permissionMissingCode, permission("token lacks permission", "D, O, I")],
  [4102, blocked("risk control", "D")],
  [4104, conflict("chat already ended")],
  [4105, invalid("sensitive content")],
  [4200, notFound("resource", "D, O")],
  [4201, conflict("member already present")],
  [4300, invalid("file empty")],
  [4301, invalid("more than one file")],
  [4302, invalid("file too big")],
  [4303, invalid("file type")],
  [4304, invalid("file broken")],
  [4314, notFound("workflow run record")],
  [4315, conflict("workflow run already over")],
  [5000, fault("server fault", "D, I")],
  [6023, fault("workflow timeout", "S")],
  [6031, invalid("workflow not published", "S")],
  [6039, invalid("interrupt not supported", "S")],
  [700012006, tokenRejected("access token invalid", "D, O, S")],
  [700012014, blocked("unusual traffic", "S, I")],
  [700012015, blocked("country restricted", "S")],
  [702042018, quota("space is full")],
  [702042162, invalid("user not in enterprise")],
  [702082020, quota("bot credits short", "S")],
  [702095072, quota("workflow credits short", "S")],
  [702232007, invalid("output token limit", "S")],
  [702242003, notFound("bot unbound", "S")],
  [708230702, fault("knowledge: server", "?")],
  [708232001, invalid("knowledge: parameter", "?")],
  [708232003, permission("knowledge: permission", "?")],
  [710005002, throttled("request rate exceeded", "?")],
  [720701013, fault("workflow failed on the server", "O, I")],
  [720702002, invalid("workflow: parameter missing", "S")],
  [720702004, notFound("workflow", "S")],
  [720702011, invalid("workflow not published", "S")],
  [720702085, fault("workflow timeout", "S")],
  [720702204, notFound("conversation name", "D")],
  [720702222, fault("workflow failed on the server", "O, I")],
  [777074044, invalid("last super admin cannot be removed")],
]);
