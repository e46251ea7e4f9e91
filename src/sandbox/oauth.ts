import { createPublicKey, randomBytes } from "node:crypto";
import { jwtVerify } from "jose";
import { isObject } from "./input.ts";
import type { HttpReply } from "./reply.ts";
import type { Tokens } from "./tokens.ts";

/** A public key that an OAuth app has registered. */
export interface RegisteredKey {
  readonly appId: string;
  /** PEM. */
  readonly publicKey: string;
}

/** What the OAuth endpoints are asked, as far as it matters. */
export interface MintRequest {
  readonly host: string;
  readonly authorization: string | undefined;
  readonly contentType: string;
  readonly body: string;
}

/** Where tokens are minted: the plain form, for an account, and for an enterprise (FACTS (d)). */
export const oauthPaths = [
  "/api/permission/oauth2/token",
  "/api/permission/oauth2/account/:account_id/token",
  "/api/permission/oauth2/enterprise_id/:enterprise_id/token",
] as const;

const grantType = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/** A refusal in the envelope of the OAuth endpoints. */
class OAuthRefusal extends Error {
  readonly code: string;
  readonly status: number;

  constructor(code: string, message: string, status = 400) {
    super(message);
    this.name = "OAuthRefusal";
    this.code = code;
    this.status = status;
  }
}

/** Mints tokens against assertions that it really verifies, and knows all tokens, minted and given. */
export class OAuthDesk implements Pick<Tokens, "get"> {
  /** By their fingerprint, the `kid`; keys may be added and removed at any time. */
  readonly keys: Map<string, RegisteredKey>;
  /** Every token minted, in order. */
  readonly minted: string[] = [];
  /** Life of a minted token whatever was asked for, in seconds; a test seldom has 900. */
  lifeSeconds: number | undefined;
  readonly #given: Tokens;
  /** When each minted token ends, in ms since the epoch. */
  readonly #ends = new Map<string, number>();
  readonly #usedIds = new Set<string>();
  readonly #revoked = new Set<string>();

  constructor(given: Tokens, keys: ReadonlyMap<string, RegisteredKey> = new Map()) {
    this.#given = given;
    this.keys = new Map(keys);
  }

  /** What the token may do; undefined when it is unknown, over or revoked. A minted one may do everything. */
  get(token: string): ReturnType<Tokens["get"]> {
    if (this.#revoked.has(token)) return undefined;
    return (this.#ends.get(token) ?? 0) > Date.now() ? "all" : this.#given.get(token);
  }

  /** From now on the token, given or minted, is not valid. */
  revoke(token: string): void {
    this.#revoked.add(token);
  }

  /** Answers one call of a token endpoint. */
  async answer(request: MintRequest, logid: string): Promise<HttpReply> {
    try {
      return reply(200, await this.#mint(request), logid);
    } catch (error) {
      if (!(error instanceof OAuthRefusal)) throw error;
      const { code, message, status } = error;
      return reply(status, { error_code: code, error_message: message, error: code }, logid);
    }
  }

  async #mint({ host, authorization, contentType, body }: MintRequest): Promise<object> {
    const assertion = /^Bearer (\S+)$/.exec(authorization ?? "")?.[1];
    if (assertion === undefined) throw new OAuthRefusal("invalid_request", "verify jwt empty error");
    await this.#verify(assertion, host);
    const asked = durationIn(contentType, body);
    const token = `czs_sandbox_${randomBytes(24).toString("hex")}`;
    const expiresIn = Math.floor(Date.now() / 1000) + (this.lifeSeconds ?? asked);
    this.#ends.set(token, expiresIn * 1000);
    this.minted.push(token);
    return { access_token: token, expires_in: expiresIn };
  }

  async #verify(assertion: string, audience: string): Promise<void> {
    let owner: string | undefined;
    const { payload } = await jwtVerify(
      assertion,
      ({ kid = "" }) => {
        const key = this.keys.get(kid);
        if (!key) throw invalidJwt("kid not been registred");
        owner = key.appId;
        return createPublicKey(key.publicKey);
      },
      { algorithms: ["RS256"], audience, typ: "JWT", requiredClaims: ["iss", "iat", "exp", "jti"] },
    ).catch((error: Error) => {
      throw error instanceof OAuthRefusal ? error : invalidJwt(error.message);
    });
    const id = String(payload.jti);
    if (payload.iss !== owner) throw invalidJwt("the key is another app's");
    if (Number(payload.iat) * 1000 > Date.now() + 1_000) throw invalidJwt("iat is in the future");
    if (id.length < 32) throw invalidJwt("jti is too short");
    if (this.#usedIds.has(id)) throw invalidJwt("it was used before");
    this.#usedIds.add(id);
  }
}

function invalidJwt(reason: string): OAuthRefusal {
  return new OAuthRefusal("invalid_client", `invalid jwt: ${reason}`, 401);
}

function durationIn(contentType: string, body: string): number {
  const input = contentType.startsWith("application/json") ? parse(body) : undefined;
  if (!isObject(input)) throw new OAuthRefusal("invalid_request", "the body must be a JSON object");
  const { grant_type: grant, duration_seconds: duration = 900 } = input;
  if (grant !== grantType) throw new OAuthRefusal("unsupported_grant_type", "grant_type is not supported");
  if (typeof duration !== "number" || !Number.isInteger(duration) || duration < 900 || duration > 86_399)
    throw new OAuthRefusal("invalid_request", "duration_seconds must be 900 to 86399");
  return duration;
}

function parse(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
}

/** Bare, without the envelope of the other calls (FACTS (a)). */
function reply(status: number, body: object, logid: string): HttpReply {
  const headers = { "Content-Type": "application/json; charset=utf-8", "X-Tt-Logid": logid };
  return { status, headers, body: JSON.stringify(body) };
}
