import type { IssuerConfig } from "./issuer-config.ts";
import type { Jwt } from "./jwt.ts";
import { JwtRefused } from "./refused.ts";

/** What a subject may be made of; it gets into log lines, audit records and the policy's look-ups. */
/** What every subject obeys that is taken, here and in the callers file. */
export const subjectPattern = /^[A-Za-z0-9][A-Za-z0-9_.:/@|+=-]{0,254}$/;

/** The largest time that a Date can hold, in seconds. */
const maxSeconds = 8.64e12;

/**
 * Refuses a token that would be of no use even with a good signature, before the price of a signature or of a
 * question to the API server is paid.
 * @param now ms since the epoch.
 * @returns from when on the token is refused as expired, the clock skew included, in ms since the epoch.
 * @throws {JwtRefused}
 */
export function checkClaims({ algorithm, claims }: Jwt, config: IssuerConfig, now: number): number {
  if (!config.algorithms.some((allowed) => allowed === algorithm)) throw new JwtRefused("algorithm");
  const { exp, nbf, aud, sub } = claims;
  for (const name of ["exp", "sub", "aud", ...config.required_claims])
    if (!Object.hasOwn(claims, name)) throw new JwtRefused("missing_claim");
  if (!isTime(exp) || !(nbf === undefined || isTime(nbf))) throw new JwtRefused("bad_claim");
  const audiences = Array.isArray(aud) ? aud : [aud];
  if (!config.audiences.some((audience) => audiences.includes(audience)))
    throw new JwtRefused("wrong_audience");
  requireSubject(sub);
  const skew = config.clock_skew_seconds;
  const seconds = Math.floor(now / 1000);
  if (exp <= seconds - skew) throw new JwtRefused("expired");
  if (nbf !== undefined && nbf > seconds + skew) throw new JwtRefused("not_yet_valid");
  return (exp + skew) * 1000;
}

/** @throws {JwtRefused} bad_subject */
export function requireSubject(subject: unknown): string {
  if (typeof subject !== "string" || !subjectPattern.test(subject)) throw new JwtRefused("bad_subject");
  return subject;
}

function isTime(value: unknown): value is number {
  return typeof value === "number" && value >= 0 && value <= maxSeconds;
}
