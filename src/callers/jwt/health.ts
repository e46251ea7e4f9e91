import type { SourceListeners } from "./prover.ts";

/** Tells of one source's troubles, each once, and of their end. */
export class Health {
  readonly #issuer: string;
  readonly #listeners: SourceListeners;
  #problem: string | undefined;

  constructor(issuer: string, listeners: SourceListeners) {
    this.#issuer = issuer;
    this.#listeners = listeners;
  }

  /** What is wrong now; undefined when nothing is. */
  get problem(): string | undefined {
    return this.#problem;
  }

  failed(problem: string): void {
    this.#listeners.onFetch?.(this.#issuer, false);
    if (problem === this.#problem) return;
    this.#problem = problem;
    this.#listeners.onFailure?.(this.#issuer, problem);
  }

  worked(): void {
    this.#listeners.onFetch?.(this.#issuer, true);
    if (this.#problem === undefined) return;
    this.#problem = undefined;
    this.#listeners.onRecovered?.(this.#issuer);
  }
}
