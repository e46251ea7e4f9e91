import type { Halt } from "./call-result.ts";
import type { Pacer } from "./pacer.ts";

/** The time is over, and nothing but Coze's slowness kept the call from being sent. */
export const tooLate: Halt = { stopped: "no_time_left", error: "coze_timeout" };

/** Nobody waits for the call any more. */
export const gone: Halt = { stopped: "caller_gone", error: "coze_unavailable" };

/** Coze throttles; the turn of this call would come too late. @param turn which one it is, 1 for the next. */
export function throttled(pacer: Pacer, turn: number, now: number): Halt {
  const retryAfterMs = pacer.retryAfterMs(turn, now);
  return { stopped: "no_time_left", error: "coze_throttled", retryAfterMs };
}

/** The queue is full, and the call's caller has the most in it: for want of a connection, or of turns to send. */
export function queueFull(pacer: Pacer, turn: number, now: number, slotsFree: boolean): Halt {
  const stopped = slotsFree ? "no_time_left" : "no_connection";
  return { stopped, error: "overloaded", retryAfterMs: pacer.retryAfterMs(turn, now) };
}

/** The turn of this call would come too late: Coze's doing while it throttles, else that of all who want to send. */
export function tooFast(pacer: Pacer, turn: number, now: number): Halt {
  if (pacer.isThrottled(now)) return throttled(pacer, turn, now);
  return { stopped: "no_time_left", error: "overloaded", retryAfterMs: pacer.retryAfterMs(turn, now) };
}

/** A call waited as long as it could. Where only a slot was missing, Coze is slow with those that have one. */
export function waitedInVain(pacer: Pacer, turn: number, now: number, slotsFree: boolean): Halt {
  const paced = pacer.rate(now) !== Number.POSITIVE_INFINITY;
  return paced && (slotsFree || pacer.waitMs(now) > 0) ? tooFast(pacer, turn, now) : tooLate;
}
