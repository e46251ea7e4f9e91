import { cozeCodes } from "../codes.ts";
import { parseObject } from "../envelope.ts";
import { parseToken } from "./parse.ts";
import type { FreshToken } from "./source.ts";

/** A token that Coze has minted, and said how long it lives. */
export type MintedToken = Required<FreshToken>;

/** Why no token was minted. The message holds Coze's own words, yet to be made safe to print. */
export class MintError extends Error {
  /** Whether waiting alone may mend it; else somebody has to do something. */
  readonly passing: boolean;

  constructor(message: string, passing: boolean) {
    super(message);
    this.name = "MintError";
    this.passing = passing;
  }
}

/** Coze grants 86,399 s at most; anything far beyond is no time in seconds. */
const mostLifeMs = 25 * 3_600_000;

/** A `Date` header has whole seconds: the life that is reckoned from it may be that much too long. */
const dateStepMs = 1_000;

/**
 * Reads what Coze answers to a mint: `{access_token, expires_in}`, where `expires_in` is a point in time, in seconds
 * since the epoch (FACTS d), or a failure in one of three envelopes (FACTS a).
 * @param now ms since the epoch, by Coze's clock.
 * @throws {MintError}
 */
export function readMintReply(status: number, body: Buffer, now: number): MintedToken {
  const reply = parseObject(body);
  const overloaded = status >= 500 || status === 429 || status === 408;
  if (!reply) throw new MintError(`HTTP ${status}, no JSON object`, true);
  const failure = failureIn(reply);
  if (failure) throw new MintError(`HTTP ${status}, ${failure.words}`, failure.passing || overloaded);
  if (status < 200 || status >= 300) throw new MintError(`HTTP ${status}, no reason given`, overloaded);
  const expiresAt = expiryIn(reply, now);
  return { value: tokenIn(reply), lifeMs: expiresAt - now - dateStepMs, expiresAt };
}

/** Which of Coze's OAuth codes time may mend; of its own, `internal_error` only (FACTS b). */
const passingWords: ReadonlySet<string> = new Set(["internal_error", "slow_down"]);

/** `{error_code, error_message, error}`, `{error, error_description}`, or the envelope of all other calls. */
function failureIn(
  reply: Readonly<Record<string, unknown>>,
): { readonly words: string; readonly passing: boolean } | undefined {
  const { error_code: errorCode, error, code } = reply;
  const words = [errorCode, error].filter((each) => typeof each === "string" && each !== "");
  const number = [code, errorCode].map(Number).find((each) => Number.isSafeInteger(each) && each !== 0);
  if (words.length === 0 && number === undefined) return undefined;
  const { error_message: message, error_description: description, msg } = reply;
  const text = [message, description, msg].find((each) => typeof each === "string");
  const known = cozeCodes.get(number ?? 0)?.class;
  return {
    words: `${words[0] ?? `code ${number}`}: ${text ?? "no reason given"}`,
    passing:
      words.some((word) => passingWords.has(String(word))) || known === "fault" || known === "throttled",
  };
}

function tokenIn({ access_token: value }: Readonly<Record<string, unknown>>): string {
  try {
    return parseToken(typeof value === "string" ? value : "");
  } catch (error) {
    throw new MintError(`access_token: ${(error as Error).message}`, true);
  }
}

function expiryIn({ expires_in: given }: Readonly<Record<string, unknown>>, now: number): number {
  const seconds = typeof given === "string" && /^\d{1,15}$/.test(given) ? Number(given) : given;
  if (typeof seconds !== "number" || !Number.isFinite(seconds))
    throw new MintError("expires_in is missing or no number", true);
  const expiresAt = seconds * 1000;
  if (expiresAt <= now + dateStepMs) throw new MintError(`expires_in is in the past: ${seconds}`, true);
  if (expiresAt > now + mostLifeMs) throw new MintError(`expires_in is absurdly far away: ${seconds}`, true);
  return expiresAt;
}
