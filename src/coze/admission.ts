import type { Halt } from "./call-result.ts";
import type { Pacer } from "./pacer.ts";
import { pause } from "./pause.ts";
import type { Slots } from "./slots.ts";

/** Who wants to send: until when the whole call must be over, and how much of that an attempt needs; monotonic ms. */
export interface Applicant {
  readonly deadlineAt: number;
  readonly leastMs: number;
  readonly signal: AbortSignal | undefined;
}

const tooLate: Halt = { stopped: "no_time_left", error: "coze_timeout" };
const gone: Halt = { stopped: "caller_gone", error: "coze_unavailable" };
const refusals = {
  queue_full: { stopped: "no_connection", error: "overloaded" },
  too_late: tooLate,
  canceled: gone,
} as const satisfies Record<string, Halt>;

/**
 * The door to Coze: first a free connection, then the brake. Who waits for a turn holds a slot meanwhile, which takes
 * nothing from anybody, as the brake holds all; so what is decided about a turn is never older than the wait for it.
 */
export class Admission {
  readonly #slots: Slots;
  readonly #pacer: Pacer;

  constructor(slots: Slots, pacer: Pacer) {
    this.#slots = slots;
    this.#pacer = pacer;
  }

  /**
   * Waits until a request may be sent at once. Then a slot is held, which `leave` gives back.
   * @returns why not, when it may not be sent in time.
   */
  async enter(applicant: Applicant): Promise<Halt | undefined> {
    if (isTooLate(applicant)) return tooLate;
    const now = performance.now();
    if (this.#pacer.coolDownMs(now) > mostWaitMs(applicant)) return this.#throttled(now);
    const refusal = await this.#slots.acquire(mostWaitMs(applicant), applicant.signal);
    if (refusal === "too_late" && Number.isFinite(this.#pacer.rate))
      return this.#throttled(performance.now());
    if (refusal !== undefined) return refusals[refusal];
    const halt = await this.#turn(applicant);
    if (halt) this.#slots.release();
    return halt;
  }

  /** Gives the slot back. */
  leave(): void {
    this.#slots.release();
  }

  /** Coze throttled a call: the brake is put on for all. @param retryAfterMs Coze's hint. */
  throttled(retryAfterMs: number | undefined): void {
    this.#pacer.throttled(performance.now(), retryAfterMs);
  }

  async #turn(applicant: Applicant): Promise<Halt | undefined> {
    for (;;) {
      if (isTooLate(applicant)) return tooLate;
      const now = performance.now();
      const turn = this.#pacer.reserve(now, mostWaitMs(applicant));
      if (!turn) return this.#throttled(now);
      if (!(await pause(turn.waitMs, applicant.signal))) {
        this.#pacer.giveBack(turn);
        return gone;
      }
      // A cool-down that began during the wait makes the turn void; the next one comes after it.
      if (this.#pacer.coolDownMs(performance.now()) > 0 || isTooLate(applicant)) continue;
      this.#pacer.sent(performance.now());
      return undefined;
    }
  }

  #throttled(now: number): Halt {
    return { stopped: "no_time_left", error: "coze_throttled", retryAfterMs: this.#pacer.waitMs(now) };
  }
}

function mostWaitMs({ deadlineAt, leastMs }: Applicant): number {
  return Math.max(0, deadlineAt - leastMs - performance.now());
}

/** Timers fire late, so half of the least is still taken. Less would only make outcomes unknown. */
function isTooLate({ deadlineAt, leastMs }: Applicant): boolean {
  return performance.now() > deadlineAt - leastMs / 2;
}
