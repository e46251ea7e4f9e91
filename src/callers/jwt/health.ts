import type { SourceListeners } from "./prover.ts";

/** What an issuer's tokens are proved with, each of which can be in trouble by itself. */
export type Part = "endpoint" | "ca_file" | "bearer_token_file" | "jwks_file";

/** Tells of the troubles with one issuer, each once, and of the end of the last. */
export class Health {
  readonly #issuer: string;
  readonly #listeners: SourceListeners;
  readonly #problems = new Map<Part, string>();

  /** @param issuer its name in the callers file. */
  constructor(issuer: string, listeners: SourceListeners) {
    this.#issuer = issuer;
    this.#listeners = listeners;
  }

  get isTroubled(): boolean {
    return this.#problems.size > 0;
  }

  /** What is wrong with a part now; undefined when nothing is. */
  problemOf(part: Part): string | undefined {
    return this.#problems.get(part);
  }

  /** @param problem safe to log. */
  failed(part: Part, problem: string): void {
    if (part === "endpoint") this.#listeners.onFetch?.(this.#issuer, false);
    // An endpoint that lacks a file has the trouble of the file.
    const isKnown = [...this.#problems.values()].includes(problem);
    this.#problems.set(part, problem);
    if (!isKnown) this.#listeners.onFailure?.(this.#issuer, problem);
  }

  worked(part: Part): void {
    if (part === "endpoint") this.#listeners.onFetch?.(this.#issuer, true);
    if (this.#problems.delete(part) && !this.isTroubled) this.#listeners.onRecovered?.(this.#issuer);
  }
}
