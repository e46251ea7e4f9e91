import type { CozeClient } from "../exchange.ts";
import type { CozeClock } from "./coze-clock.ts";
import { encodingsOf, withoutForms } from "./known-forms.ts";
import { signAssertion } from "./oauth-assertion.ts";
import type { SigningKey } from "./oauth-key.ts";
import { MintError, type MintedToken, readMintReply } from "./oauth-reply.ts";
import type { OAuthSettings } from "./source.ts";

/** A clock that was wrong by more than this, in ms, may be why Coze refused; by its `Date` the next try is right. */
const forgivenSkewMs = 60_000;

/** Coze's words in an error, at most; they go to the log. */
const mostWords = 300;

/**
 * Asks Coze for a token, once, with a new assertion (FACTS d).
 * @throws {MintError} whose message is short, printable ASCII and shows neither assertion nor token.
 */
export async function mint(
  client: CozeClient,
  settings: OAuthSettings,
  key: SigningKey,
  clock: CozeClock,
): Promise<MintedToken> {
  const assertion = await signAssertion(settings, key, clock.now());
  // Mints are far apart, and an assertion is taken once: a connection that is being closed would waste it.
  const exchange = await client.exchange(requestFor(settings, assertion), settings.timeoutMs, {
    fresh: true,
  });
  if (exchange.kind === "failure") {
    const { failure, detail } = exchange;
    throw new MintError(`${failure}: ${detail}`, failure !== "certificate");
  }
  const before = clock.now();
  clock.note(exchange.headers.date);
  const skewMs = before - clock.now();
  try {
    return readMintReply(exchange.status, exchange.body, clock.now());
  } catch (error) {
    const { message, passing } = error as MintError;
    const wrongClock = Math.abs(skewMs) > forgivenSkewMs;
    const note = wrongClock ? `; our clock is ${Math.round(skewMs / 1000)} s ahead of Coze's` : "";
    throw new MintError(printable(message, assertion) + note, passing || wrongClock);
  }
}

function requestFor(settings: OAuthSettings, assertion: string) {
  return {
    method: "POST",
    target: targetOf(settings),
    headers: {
      accept: "application/json",
      "accept-encoding": "identity",
      authorization: `Bearer ${assertion}`,
      "content-type": "application/json",
    },
    body: JSON.stringify({
      grant_type: "urn:ietf:params:oauth:grant-type:jwt-bearer",
      duration_seconds: settings.durationSeconds,
    }),
  };
}

function targetOf({ accountId, enterpriseId }: OAuthSettings): string {
  const base = "/api/permission/oauth2";
  if (accountId !== undefined) return `${base}/account/${encodeURIComponent(accountId)}/token`;
  if (enterpriseId !== undefined) return `${base}/enterprise_id/${encodeURIComponent(enterpriseId)}/token`;
  return `${base}/token`;
}

/** Anything that looks like a JWT or a token of Coze, whose own one we do not have when it minted one and failed. */
const credentials = /eyJ[\w-]{8,}(\.[\w-]*){0,2}|\b(pat|sat|czs|czu|cztei)_[\w-]+/g;

function printable(words: string, assertion: string): string {
  return withoutForms(words, encodingsOf(assertion))
    .replace(credentials, "[redacted]")
    .replace(/[^\x20-\x7e]/g, "?")
    .slice(0, mostWords);
}
