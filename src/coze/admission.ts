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

/** The door to Coze: first the brake, then a free connection. */
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
  async enter({ deadlineAt, leastMs, signal }: Applicant): Promise<Halt | undefined> {
    const mostWaitMs = () => Math.max(0, deadlineAt - leastMs - performance.now());
    // Timers fire late, so half of the least is still taken. Less would only make outcomes unknown.
    const isTooLate = () => performance.now() > deadlineAt - leastMs / 2;
    for (;;) {
      if (isTooLate()) return tooLate;
      const now = performance.now();
      const brakeMs = this.#pacer.reserve(now, mostWaitMs());
      if (brakeMs === undefined) {
        return { stopped: "no_time_left", error: "coze_throttled", retryAfterMs: this.#pacer.waitMs(now) };
      }
      const stays = await pause(brakeMs, signal);
      const refusal = stays ? await this.#slots.acquire(mostWaitMs(), signal) : "canceled";
      if (refusal === undefined && !isTooLate() && this.#pacer.coolDownMs(performance.now()) === 0) {
        this.#pacer.sent(performance.now());
        return undefined;
      }
      this.#pacer.giveBack();
      if (refusal !== undefined) return refusals[refusal];
      // Coze asked for silence, or time ran out, while this one waited for its connection.
      this.#slots.release();
    }
  }

  /** Gives the slot back. */
  leave(): void {
    this.#slots.release();
  }

  /** Coze throttled a call: the brake is put on for all. @param retryAfterMs Coze's hint. */
  throttled(retryAfterMs: number | undefined): void {
    this.#pacer.throttled(performance.now(), retryAfterMs);
  }
}
