/** What one line of the error table says. `status` is the HTTP status; `code` is status x 1000 + n (DESIGN section 4). */
interface ErrorSpec {
  readonly status: number;
  readonly code: number;
  /** What happened and what to do about it: the `msg` of a reply that has nothing more exact to say. */
  readonly message: string;
  /** Seconds for `Retry-After` when nothing better is known; absent where a repeat cannot help. */
  readonly retryAfterS?: number;
}

/** The closed table of gateway errors: the only place where an error gets its word, status and code. */
export const gatewayErrors = {
  invalid_request: { status: 400, code: 400001, message: "The request is not valid; see gateway.issues." },
  malformed_http: { status: 400, code: 400002, message: "The request is not well-formed HTTP/1.1." },
  coze_invalid_request: { status: 400, code: 400003, message: "Coze refused the input." },
  unauthenticated: {
    status: 401,
    code: 401001,
    message: "Send Authorization: Bearer <caller key or token>. It is missing, unknown or expired.",
  },
  forbidden: { status: 403, code: 403001, message: "This caller is not allowed to do that." },
  not_found: { status: 404, code: 404001, message: "The gateway has no such path; see /docs." },
  coze_not_found: { status: 404, code: 404002, message: "Coze does not know this resource." },
  method_not_allowed: { status: 405, code: 405001, message: "This path does not take this method." },
  request_timeout: { status: 408, code: 408001, message: "The request did not arrive in time." },
  coze_conflict: {
    status: 409,
    code: 409001,
    message: "Coze: the resource is in a state that forbids this.",
  },
  payload_too_large: { status: 413, code: 413001, message: "The request body is too large." },
  uri_too_long: { status: 414, code: 414001, message: "The request target is too long." },
  unsupported_media_type: { status: 415, code: 415001, message: "Send the body as application/json." },
  rate_limited: {
    status: 429,
    code: 429001,
    message: "Too many requests of this kind; repeat later.",
    retryAfterS: 1,
  },
  coze_throttled: { status: 429, code: 429002, message: "Coze is throttling; repeat later.", retryAfterS: 2 },
  coze_quota: {
    status: 429,
    code: 429003,
    message: "The Coze account's quota is used up.",
    retryAfterS: 3600,
  },
  headers_too_large: { status: 431, code: 431001, message: "The request headers are too large." },
  internal: { status: 500, code: 500001, message: "The gateway failed; report the request id." },
  audit_incomplete: {
    status: 500,
    code: 500002,
    message:
      "The call was made, but how it ended could not be recorded yet and is withheld; look before you repeat a change.",
  },
  coze_unavailable: { status: 502, code: 502001, message: "Coze failed to serve the call." },
  coze_malformed: { status: 502, code: 502002, message: "Coze's reply could not be read." },
  coze_token_rejected: {
    status: 502,
    code: 502003,
    message: "Coze rejects the gateway's own token; its operators must replace it.",
  },
  coze_permission_missing: {
    status: 502,
    code: 502004,
    message: "The gateway's own Coze token lacks a permission; its operators must add it.",
  },
  coze_blocked: {
    status: 502,
    code: 502005,
    message: "Coze blocks the gateway (risk control, region or firewall).",
  },
  coze_error: {
    status: 502,
    code: 502006,
    message: "Coze answered with an error that the gateway does not know.",
  },
  coze_unreachable: { status: 503, code: 503001, message: "Coze could not be reached.", retryAfterS: 2 },
  audit_unavailable: {
    status: 503,
    code: 503005,
    message: "The audit trail cannot be written now, so nothing was done; repeat later.",
    retryAfterS: 2,
  },
  overloaded: {
    status: 503,
    code: 503003,
    message: "Too many calls are waiting; repeat later.",
    retryAfterS: 1,
  },
  token_unavailable: {
    status: 503,
    code: 503004,
    message: "The gateway has no usable Coze token; its operators must supply one.",
    retryAfterS: 5,
  },
  authentication_unavailable: {
    status: 503,
    code: 503006,
    message: "Whether this token is valid cannot be checked now; repeat later.",
    retryAfterS: 2,
  },
  coze_timeout: { status: 504, code: 504001, message: "Coze did not answer in time." },
} as const satisfies Record<string, ErrorSpec>;

/** The stable words that callers branch on. */
export type GatewayErrorName = keyof typeof gatewayErrors;

/** What is known about a change that was asked for and did not succeed (DESIGN section 4). */
export type Outcome = "not_sent" | "refused" | "unknown";

/** One thing wrong with the input: where (`body.name`, `query.page_size`, `header.x`) and what. */
export interface Issue {
  readonly path: string;
  readonly message: string;
}

/** What is known of a forwarded call that did not succeed. */
export interface CallDetails {
  readonly attempts: number;
  /** Why no further attempt was made. */
  readonly stopped?: string;
  /** Absent for operations that change nothing. */
  readonly outcome?: Outcome;
  /** Coze's own words, where its envelope could be read. */
  readonly code?: number;
  readonly logid?: string;
}

/** What a particular error may say beyond its line of the table. */
export interface ErrorDetails {
  readonly message?: string;
  readonly issues?: readonly Issue[];
  readonly retryAfterS?: number;
  readonly allow?: readonly string[];
  readonly call?: CallDetails;
  readonly cause?: unknown;
}

/** A refusal or failure that has a line in the table; everything a caller is told besides success is one of these. */
export class GatewayError extends Error {
  readonly error: GatewayErrorName;
  readonly details: ErrorDetails;

  constructor(error: GatewayErrorName, details: ErrorDetails = {}) {
    super(details.message ?? gatewayErrors[error].message, { cause: details.cause });
    this.name = "GatewayError";
    this.error = error;
    this.details = details;
  }
}
