import type { FastifyRequest } from "fastify";
import type { Conclusion, Subject } from "../audit/trail.ts";
import type { Caller } from "../callers/callers-file.ts";
import { nameOf } from "../callers/grants.ts";
import type { Credential } from "../callers/policy.ts";
import type { CallResult } from "../coze/call-result.ts";
import { type GatewayError, gatewayErrors } from "../errors.ts";
import { type Action, isMutating, type Operation, type OperationInput } from "../operation.ts";
import { isApiAppId } from "../operations/schemas.ts";
import { redactCredentials } from "../telemetry/logger.ts";

/** Who asks for what; an app id that is none is left out, as everything is that did not pass a rule. */
export function subjectOf(action: Action, request: FastifyRequest, credential: Credential): Subject {
  const { api_app_id } = request.params as { api_app_id?: string };
  const rule = nameOf(request.rules);
  return {
    request_id: request.id,
    caller: credential.caller.id,
    credential_id: credential.id,
    ...(credential.subject !== undefined && { subject: credential.subject }),
    ...(rule !== "" && { rule }),
    ...(request.policyVersion !== undefined && { policy_version: request.policyVersion }),
    operation: action.id,
    permission: action.permission,
    ...appIn(api_app_id),
  };
}

/** The app that a text names; nothing when it is none, or a credential in the wrong place. */
export function appIn(text: string | undefined): Pick<Subject, "api_app_id"> {
  return isHarmlessId(text) ? { api_app_id: text } : {};
}

/** The same with what the validated body names: event types, and the other fields by name only. */
export function subjectWithInput(subject: Subject, { body }: OperationInput): Subject {
  if (body === undefined) return subject;
  const { event_types, ...others } = body as Record<string, unknown>;
  const fields = Object.keys(others).sort();
  return {
    ...subject,
    ...(event_types !== undefined && { event_types: (event_types as string[]).filter(isHarmless) }),
    ...(fields.length > 0 && { fields }),
  };
}

/**
 * How a forwarded call ended.
 * @param caller owns an app that was created.
 * @param hidden is answered in place of a success that cannot be shown.
 */
export function conclusionOf(
  operation: Operation,
  { error, last, outcome, attempts, stopped }: CallResult,
  caller: Caller,
  hidden?: GatewayError,
): Conclusion {
  const failure = isMutating(operation) ? (outcome ?? "unknown") : "failed";
  const failed = error !== undefined || (hidden !== undefined && !isMutating(operation));
  const word = error ?? hidden?.error;
  const created = operation.reach === "new_app" && last?.body ? createdAppId(last.body) : undefined;
  return {
    outcome: failed ? failure : "done",
    status: word === undefined ? 200 : gatewayErrors[word].status,
    error: word,
    stopped,
    attempts: attempts.map(({ attempt, class: ended, status, code, logid, ms }) => {
      return { attempt, class: ended, status, code, logid, ms };
    }),
    ...(created !== undefined && { api_app_id: created, owner: caller.id }),
  };
}

/** How a request ended that was refused before anything was sent. */
export function refusalOf({ error }: GatewayError, dryRun = false): Conclusion {
  return {
    ...{ outcome: "not_sent", status: gatewayErrors[error].status, error },
    ...(dryRun && { dry_run: true }),
  };
}

/** The id in the reply of a create; only a string, since a number of 19 digits would not be the id any more. */
function createdAppId(body: Buffer): string | undefined {
  const { data } = JSON.parse(body.toString()) as { data?: { id?: unknown } | null };
  const id = data?.id;
  return typeof id === "string" && isHarmlessId(id) ? id : undefined;
}

function isHarmlessId(text: string | undefined): text is string {
  return isApiAppId(text) && isHarmless(text);
}

/** A key sent in the place of an id or an event type would be kept for ever. */
function isHarmless(text: string): boolean {
  return redactCredentials(text) === text;
}
