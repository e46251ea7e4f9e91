import { type Operation, type OperationInput, requestTarget } from "../operation.ts";
import { type AttemptResult, classify } from "./classify.ts";
import type { CozeClient, ExchangeRequest } from "./exchange.ts";
import type { Exchange } from "./reply-collector.ts";
import type { CozeToken, TokenUse } from "./token/token.ts";

/** What one attempt is made with. */
export interface AttemptOptions {
  readonly client: CozeClient;
  readonly token: CozeToken;
  /** The token's value for this attempt. */
  readonly use: TokenUse;
  readonly timeoutMs: number;
  readonly signal: AbortSignal | undefined;
  /** Use a connection that has not served before. */
  readonly fresh: boolean;
  /** Called when the connection is free again. */
  readonly onDone: () => void;
}

/** Sends a request to Coze once and sorts what comes back. Never rejects. */
export async function attempt(
  { headers, ...request }: ExchangeRequest,
  { client, token, use, timeoutMs, ...options }: AttemptOptions,
): Promise<AttemptResult> {
  const authorized = { ...request, headers: { authorization: use.authorization, ...headers } };
  const exchange = await client.exchange(authorized, timeoutMs, options);
  return classify(withoutLeak(exchange, token), Date.now());
}

/**
 * The request as Coze documents it, but for the token, which is put in at the last moment.
 * @param acceptLanguage the only one of the caller's headers that goes along.
 */
export function requestOf(
  operation: Operation,
  input: OperationInput,
  userAgent: string,
  acceptLanguage: string | undefined,
): ExchangeRequest {
  return {
    method: operation.method,
    target: requestTarget(operation, input),
    headers: {
      accept: "application/json",
      "accept-encoding": "identity",
      "content-type": "application/json",
      "user-agent": userAgent,
      ...(acceptLanguage !== undefined && { "accept-language": acceptLanguage }),
    },
    body: input.body === undefined ? undefined : JSON.stringify(input.body),
  };
}

/** A reply that shows our own token goes no further than here, neither to a caller nor to a log (DESIGN section 1.2). */
function withoutLeak(exchange: Exchange, token: CozeToken): Exchange {
  if (exchange.kind === "failure") return exchange;
  const logid = Buffer.from([exchange.headers["x-tt-logid"] ?? []].flat().join());
  const forms = [exchange.body, unescaped(exchange.body), logid];
  if (!forms.some((bytes) => token.isIn(bytes))) return exchange;
  return { kind: "failure", failure: "leak", sent: true, detail: "the reply shows the gateway's token" };
}

/** The body with JSON's escapes resolved, as a reader of it would see it. */
function unescaped(body: Buffer): Buffer {
  if (!body.includes("\\")) return body;
  const text = body.toString("latin1");
  return Buffer.from(
    text
      .replaceAll("\\/", "/")
      .replace(/\\u([0-9a-f]{4})/gi, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16))),
  );
}
