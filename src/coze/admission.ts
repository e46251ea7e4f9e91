import type { Halt } from "./call-result.ts";
import { type Clock, monotonicClock } from "./clock.ts";
import { FairQueue } from "./fair-queue.ts";
import type { Pacer } from "./pacer.ts";
import { gone, queueFull, throttled, tooFast, tooLate, waitedInVain } from "./refusals.ts";

/** Who wants to send: until when the whole call must be over, and how much of that an attempt needs; monotonic ms. */
export interface Applicant {
  /** Id of the caller, between whom turns are shared. */
  readonly caller: string;
  /** The caller's share, relative to those of others. */
  readonly weight: number;
  readonly deadlineAt: number;
  readonly leastMs: number;
  readonly signal: AbortSignal | undefined;
}

interface Waiter {
  readonly applicant: Applicant;
  readonly settle: (halt: Halt | undefined) => void;
}

/** What the door opens by. */
export interface AdmissionOptions {
  /** Most calls under way at one time. */
  readonly slots: number;
  /** Most calls that wait. */
  readonly mostWaiting: number;
  readonly pacer: Pacer;
  readonly clock?: Clock;
}

/**
 * The door to Coze: one queue, fair between callers, from which the next one goes when a connection is free and the
 * pacer lets a call go. undici's own queue has no bound, and a request in it cannot be given up (PITFALLS), so nothing
 * is handed to undici before it can be sent at once.
 */
export class Admission {
  readonly #pacer: Pacer;
  readonly #clock: Clock;
  readonly #queue: FairQueue<Waiter>;
  #free: number;
  /** Set while somebody waits for something that comes by itself: before that nobody goes. */
  #cancelWake: (() => void) | undefined;

  constructor({ slots, mostWaiting, pacer, clock = monotonicClock }: AdmissionOptions) {
    this.#pacer = pacer;
    this.#clock = clock;
    this.#queue = new FairQueue(mostWaiting);
    this.#free = slots;
  }

  /** How many wait. */
  get waiting(): number {
    return this.#queue.waiting;
  }

  /**
   * Waits until a request may be sent at once. Then a slot is held, which `leave` gives back.
   * @returns why not, when it may not be sent in time; at once where that can be foreseen.
   */
  async enter(applicant: Applicant): Promise<Halt | undefined> {
    const now = this.#clock.now();
    if (applicant.signal?.aborted) return gone;
    if (isTooLate(applicant, now)) return tooLate;
    if (this.#queue.waiting === 0 && this.#free > 0 && this.#pacer.waitMs(now) === 0) {
      this.#take(now);
      return undefined;
    }
    const turn = this.#turnOf(applicant);
    if (this.#pacer.turnMs(turn, now) > mostWaitMs(applicant, now)) return tooFast(this.#pacer, turn, now);
    return this.#wait(applicant, now);
  }

  /** Gives the slot back. */
  leave(): void {
    this.#free += 1;
    // Not at once: what Coze has just said to the one who leaves, a throttling perhaps, holds for the next one too.
    if (this.#queue.waiting > 0) this.#wakeIn(0);
  }

  /** Coze throttled a call: the brake is put on for all. @param retryAfterMs Coze's hint. */
  throttled(retryAfterMs: number | undefined): void {
    const now = this.#clock.now();
    this.#pacer.throttled(now, retryAfterMs);
    const waitMs = this.#pacer.waitMs(now);
    const halt = throttled(this.#pacer, 1, now);
    for (const waiter of this.#queue.items()) {
      if (waitMs > mostWaitMs(waiter.applicant, now)) this.#refuse(waiter, halt);
    }
  }

  #wait(applicant: Applicant, now: number): Promise<Halt | undefined> {
    const { caller, weight, signal } = applicant;
    return new Promise((resolve) => {
      const settle = (halt: Halt | undefined) => {
        cancelTimer();
        signal?.removeEventListener("abort", cancel);
        resolve(halt);
      };
      const waiter: Waiter = { applicant, settle };
      const cancel = () => this.#refuse(waiter, gone);
      const cancelTimer = this.#clock.after(mostWaitMs(applicant, now), () =>
        this.#refuse(waiter, this.#waitedInVain(applicant)),
      );
      signal?.addEventListener("abort", cancel, { once: true });
      const displaced = this.#queue.push(caller, weight, waiter);
      displaced?.settle(queueFull(this.#pacer, this.#turnOf(displaced.applicant), now, this.#free > 0));
      this.#admit();
    });
  }

  /** Lets in all who may go now, in their order, and sees to it that the next one is not forgotten. */
  #admit(): void {
    if (this.#cancelWake) return;
    const now = this.#clock.now();
    for (let waiter = this.#next(); waiter; waiter = this.#next()) {
      const waitMs = this.#pacer.waitMs(now);
      if (waitMs > 0) {
        this.#wakeIn(waitMs);
        return;
      }
      if (isTooLate(waiter.applicant, now)) this.#refuse(waiter, this.#waitedInVain(waiter.applicant));
      else {
        this.#take(now);
        this.#queue.serve(waiter);
        waiter.settle(undefined);
      }
    }
  }

  /** Who goes next, if there is a slot. */
  #next(): Waiter | undefined {
    return this.#free > 0 ? this.#queue.next() : undefined;
  }

  #take(now: number): void {
    this.#free -= 1;
    this.#pacer.sent(now);
  }

  #wakeIn(ms: number): void {
    this.#cancelWake ??= this.#clock.after(ms, () => {
      this.#cancelWake = undefined;
      this.#admit();
    });
  }

  #refuse(waiter: Waiter, halt: Halt): void {
    this.#queue.remove(waiter);
    waiter.settle(halt);
    if (this.#queue.waiting > 0) return;
    this.#cancelWake?.();
    this.#cancelWake = undefined;
  }

  #waitedInVain(applicant: Applicant): Halt {
    return waitedInVain(this.#pacer, this.#turnOf(applicant), this.#clock.now(), this.#free > 0);
  }

  #turnOf({ caller, weight }: Applicant): number {
    return this.#queue.turnOf(caller, weight);
  }
}

function mostWaitMs({ deadlineAt, leastMs }: Applicant, now: number): number {
  return Math.max(0, deadlineAt - leastMs - now);
}

/** Timers fire late, so half of the least is still taken. Less would only make outcomes unknown. */
function isTooLate({ deadlineAt, leastMs }: Applicant, now: number): boolean {
  return now > deadlineAt - leastMs / 2;
}
