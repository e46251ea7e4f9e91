import type { FastifyRequest, onRequestAsyncHookHandler } from "fastify";
import { authenticate } from "../callers/authenticate.ts";
import { authorize, type OwnersOf } from "../callers/authorize.ts";
import type { Issuers } from "../callers/jwt/issuers.ts";
import type { Credential, Policy } from "../callers/policy.ts";
import type { AddressLimiter } from "../callers/rate-limit/address-limiter.ts";
import type { RateLimiter } from "../callers/rate-limit/rate-limiter.ts";
import type { Rate } from "../config/rate.ts";
import { GatewayError } from "../errors.ts";
import { type Action, type RateClass, rateClassOf } from "../operation.ts";

/** What every request is held against. */
export interface Gate {
  /** The callers' policy in force now. */
  readonly policy: () => Policy;
  readonly issuers: Pick<Issuers, "verify">;
  readonly addresses: Pick<AddressLimiter, "refusedForSeconds" | "failed">;
  readonly limiter: Pick<RateLimiter, "take">;
  /** The limits of callers that have none of their own. */
  readonly rates: Readonly<Record<RateClass, Rate>>;
  readonly ownersOf: OwnersOf;
  /** Told of each request that was refused for coming too fast. */
  readonly onLimited: (what: RateClass | "unauthenticated") => void;
}

/**
 * Tells who calls, and refuses who is unknown, too fast or not granted the action, before the body is read. It reads
 * the policy once, so a swap in between cannot mix two. Who is not granted it is counted by the rate limit too: each
 * refusal costs a durable record.
 */
export function guard(action: Action, gate: Gate): onRequestAsyncHookHandler {
  return async (request) => {
    const policy = gate.policy();
    const credential = await identify(request, policy, gate);
    request.credential = credential;
    request.policyVersion = policy.version;
    await limit(request, credential, action, gate);
    const { api_app_id } = request.params as { api_app_id?: string };
    request.rules = await authorize(credential.caller, action, api_app_id, gate.ownersOf);
  };
}

/** An address with too many failures is refused before anything is hashed; who is known is not counted there. */
async function identify(
  request: FastifyRequest,
  policy: Policy,
  { issuers, addresses, onLimited }: Gate,
): Promise<Credential> {
  const { remoteAddress } = request;
  const retryAfterS = addresses.refusedForSeconds(remoteAddress);
  if (retryAfterS !== undefined) {
    onLimited("unauthenticated");
    const message = "Too many requests without a valid credential came from this address; repeat later.";
    throw new GatewayError("rate_limited", { message, retryAfterS });
  }
  return authenticate(authorizationHeaders(request), policy, issuers, Date.now()).catch((error: unknown) => {
    if (error instanceof GatewayError && error.error === "unauthenticated") addresses.failed(remoteAddress);
    throw error;
  });
}

async function limit(
  request: FastifyRequest,
  { caller }: Credential,
  action: Action,
  { limiter, rates, onLimited }: Gate,
): Promise<void> {
  const rateClass = rateClassOf(action);
  const verdict = await limiter.take(caller.id, rateClass, caller.rate_limits[rateClass] ?? rates[rateClass]);
  request.rate = { rateClass, verdict };
  if (verdict.allowed) return;
  onLimited(rateClass);
  throw new GatewayError("rate_limited", {
    message: `Caller ${caller.id} may make ${verdict.limit} requests of the class ${rateClass}; repeat later.`,
    retryAfterS: verdict.retryAfterSeconds,
  });
}

/** All of them: Node itself keeps the first and hides the rest, and two mean that somebody plays tricks. */
function authorizationHeaders(request: FastifyRequest): string[] {
  const { rawHeaders } = request.raw;
  return rawHeaders.filter((_, index) => index % 2 === 1 && isAuthorization(rawHeaders[index - 1]));
}

function isAuthorization(name: string | undefined): boolean {
  return name?.length === 13 && name.toLowerCase() === "authorization";
}
