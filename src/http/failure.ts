import type { CallResult } from "../coze/call-result.ts";
import { type CallDetails, GatewayError, type GatewayErrorName, gatewayErrors } from "../errors.ts";
import { isMutating, type Operation } from "../operation.ts";
import { redactCredentials } from "../telemetry/logger.ts";

/** The error that a call which did not succeed is answered with. */
export function failureOf(operation: Operation, error: GatewayErrorName, result: CallResult): GatewayError {
  const { last, attempts, stopped, outcome, retryAfterMs } = result;
  const code = last?.code === 0 ? undefined : last?.code;
  return new GatewayError(error, {
    message: [
      ...wordsOf(operation, error, last?.msg),
      `Attempts: ${attempts.length}, stopped: ${stopped}.`,
    ].join(" "),
    call: {
      attempts: attempts.length,
      stopped,
      ...(outcome !== undefined && { outcome }),
      ...(code !== undefined && { code }),
      ...(last?.logid !== undefined && { logid: last.logid }),
    },
    ...("retryAfterS" in gatewayErrors[error] &&
      retryAfterMs !== undefined && { retryAfterS: Math.max(1, Math.ceil(retryAfterMs / 1000)) }),
  });
}

/** Whatever came of it, `stopped` included, the caller is told only that it is not known: what is not recorded is not answered (DESIGN 1.4). */
export function withheld(operation: Operation, result: CallResult): GatewayError {
  return new GatewayError("audit_incomplete", { call: callOf(operation, result) });
}

/** What may be told of a call whose end is not shown. */
export function callOf(operation: Operation, { last, attempts }: CallResult): CallDetails {
  return {
    attempts: attempts.length,
    ...(isMutating(operation) && { outcome: "unknown" }),
    ...(last?.logid !== undefined && { logid: last.logid }),
  };
}

/** A text that may quote the secret which signs callbacks is not passed on. */
const secretText = /verify.?token/i;

function wordsOf(operation: Operation, error: GatewayErrorName, msg: string | undefined): string[] {
  const words: string[] = [gatewayErrors[error].message];
  if (error === "coze_permission_missing") words.push(`Missing: ${operation.permission}.`);
  if (msg && !secretText.test(msg)) words.push(`Coze says: "${printable(redactCredentials(msg))}".`);
  return words;
}

/** Coze's text is foreign: kept short and free of characters that could forge a line or hide text. */
function printable(text: string): string {
  return text.slice(0, 500).replace(/[\p{C}\p{Zl}\p{Zp}]/gu, " ");
}
