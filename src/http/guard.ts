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
import { credentialOf } from "./context.ts";

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
 * Tells who calls, and refuses who is unknown, too fast or not granted the action, before the body is read. Who is not
 * granted it is counted by the rate limit too: each such refusal costs a durable record.
 */
export function guard(action: Action, gate: Gate): onRequestAsyncHookHandler {
  return async (request) => {
    const credential = await identify(request, gate);
    await limit(request, credential, action, gate);
    await permit(request, credential, action, gate);
  };
}

/** What was decided longer ago than this, in ms, is decided anew before anything is done. */
const decisionMs = 1_000;

/**
 * Decides anew about a request whose body took its time, or that met a new callers file: a key that was revoked, or an
 * app that was given to another caller meanwhile, must not be used.
 * @returns who calls.
 * @throws {GatewayError} as the guard does.
 */
export async function guardAgain(request: FastifyRequest, action: Action, gate: Gate): Promise<Credential> {
  const decided = credentialOf(request);
  const isFresh = performance.now() - request.startedAt < decisionMs;
  if (isFresh && gate.policy().version === request.policyVersion) return decided;
  const credential = await identify(request, gate);
  await permit(request, credential, action, gate);
  return credential;
}

/** An address with too many failures is refused before anything is hashed; who is known is not counted there. */
async function identify(request: FastifyRequest, gate: Gate): Promise<Credential> {
  const { issuers, addresses, onLimited } = gate;
  const { remoteAddress } = request;
  const retryAfterS = addresses.refusedForSeconds(remoteAddress);
  if (retryAfterS !== undefined) {
    onLimited("unauthenticated");
    const message = "Too many requests without a valid credential came from this address; repeat later.";
    throw new GatewayError("rate_limited", { message, retryAfterS });
  }
  // Read once, so that a swap in between cannot mix two.
  const policy = gate.policy();
  try {
    const found = authenticate(authorizationHeaders(request), policy, issuers, Date.now());
    // A key is known at once: the failure of one request is counted before the next one on the connection is looked at.
    const credential = found instanceof Promise ? await found : found;
    request.credential = credential;
    request.policyVersion = policy.version;
    return credential;
  } catch (error) {
    if (error instanceof GatewayError && error.error === "unauthenticated") addresses.failed(remoteAddress);
    throw error;
  }
}

async function permit(
  request: FastifyRequest,
  { caller }: Credential,
  action: Action,
  { ownersOf }: Gate,
): Promise<void> {
  const { api_app_id } = request.params as { api_app_id?: string };
  request.rules = await authorize(caller, action, api_app_id, ownersOf);
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
