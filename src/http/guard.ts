import type { FastifyRequest, onRequestAsyncHookHandler } from "fastify";
import { authenticate } from "../callers/authenticate.ts";
import { authorize } from "../callers/authorize.ts";
import type { Policy } from "../callers/policy.ts";
import type { Action } from "../operation.ts";

/**
 * Tells who calls and refuses who is unknown or not granted the action, before the body is read. It reads the
 * policy once, so a swap in between cannot mix two.
 */
export function guard(action: Action, policy: () => Policy): onRequestAsyncHookHandler {
  return async (request) => {
    const credential = authenticate(authorizationHeaders(request), policy(), Date.now());
    request.credential = credential;
    const { api_app_id } = request.params as { api_app_id?: string };
    authorize(credential.caller, action, api_app_id);
  };
}

/** All of them: Node itself keeps the first and hides the rest, and two mean that somebody plays tricks. */
function authorizationHeaders(request: FastifyRequest): string[] {
  const { rawHeaders } = request.raw;
  return rawHeaders.filter((_, index) => index % 2 === 1 && isAuthorization(rawHeaders[index - 1]));
}

function isAuthorization(name: string | undefined): boolean {
  return name?.length === 13 && name.toLowerCase() === "authorization";
}
