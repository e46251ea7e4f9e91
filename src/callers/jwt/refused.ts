import { GatewayError } from "../../errors.ts";

/** Why a JWT was refused: the closed set of words for log and metric. The caller is not told, who could probe with it. */
export const jwtRefusals = [
  "too_long",
  "malformed",
  "duplicate_member",
  "nested",
  "critical_header",
  "unknown_issuer",
  "algorithm",
  "missing_claim",
  "bad_claim",
  "bad_subject",
  "wrong_audience",
  "expired",
  "not_yet_valid",
  "unknown_key",
  "bad_signature",
  /** The API server was asked and does not know the token, as of a pod that is gone. */
  "not_authenticated",
] as const;

/** One of the words of `jwtRefusals`. */
export type JwtRefusal = (typeof jwtRefusals)[number];

/** This token proves nothing: a 401. It never quotes the token. */
export class JwtRefused extends Error {
  readonly reason: JwtRefusal;

  constructor(reason: JwtRefusal) {
    super(`the JWT is refused: ${reason}`);
    this.name = "JwtRefused";
    this.reason = reason;
  }
}

/** Whether the token is good cannot be found out now: a 503, as the caller did nothing wrong. */
export class JwtUnavailable extends GatewayError {
  /** Name of the issuer in the callers file. */
  readonly issuer: string;
  /** For the log, where more is known; it holds no secret. */
  readonly problem: string | undefined;

  constructor(issuer: string, problem: string | undefined) {
    super("authentication_unavailable");
    this.name = "JwtUnavailable";
    this.issuer = issuer;
    this.problem = problem;
  }
}
