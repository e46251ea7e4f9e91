import type { FastifyRequest } from "fastify";

/** Of refusals for coming too fast, one of each caller and action in this time, in ms, is recorded. */
const windowMs = 10_000;

/** More keys than this can only be old ones. */
const mostKeys = 10_000;

/**
 * Tells which refusals for coming too fast are recorded. Each record is a durable write: if every one were, a caller
 * beyond its limit would cost more than one within it, and could keep the others from being recorded at all.
 */
export class LimitedRefusals {
  readonly #until = new Map<string, number>();

  /** Whether this one is recorded: the first of its caller and action in a while. @param now monotonic ms. */
  isFirst({ credential, routeOptions }: FastifyRequest, now: number): boolean {
    const key = `${credential?.caller.id}:${routeOptions.config.operation?.id}`;
    if (now < (this.#until.get(key) ?? 0)) return false;
    if (this.#until.size >= mostKeys) this.#until.clear();
    this.#until.set(key, now + windowMs);
    return true;
  }
}
