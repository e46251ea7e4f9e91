import type { Fault } from "./fault.ts";

/** The faults still to come, in order; each call takes the first that matches it. */
export class FaultQueue {
  #faults: (Fault & { readonly times: number })[] = [];

  /** Puts faults at the end; one without `times` strikes once. */
  add(...faults: readonly Fault[]): void {
    this.#faults.push(...faults.map((fault) => ({ ...fault, times: fault.times ?? 1 })));
  }

  /** What is left, with the times that are left. */
  list(): readonly Fault[] {
    return [...this.#faults];
  }

  /** Takes the fault for this call, if there is one, off the queue once. */
  take(method: string, path: string): Fault | undefined {
    const index = this.#faults.findIndex((fault) => matches(fault, method, path));
    const fault = this.#faults[index];
    if (fault === undefined) return undefined;
    const left = fault.times > 1 ? [{ ...fault, times: fault.times - 1 }] : [];
    this.#faults.splice(index, 1, ...left);
    return fault;
  }

  /** Forgets all faults. */
  clear(): void {
    this.#faults = [];
  }
}

function matches(fault: Fault, method: string, path: string): boolean {
  return (fault.method ?? method).toUpperCase() === method && matchesPath(fault.path ?? path, path);
}

function matchesPath(pattern: string, path: string): boolean {
  const wanted = pattern.split("/");
  const given = path.split("/");
  return (
    wanted.length === given.length &&
    wanted.every((segment, index) => segment === given[index] || segment.startsWith(":"))
  );
}
