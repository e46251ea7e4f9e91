import { Flow, type Place } from "./flow.ts";
import { Heap } from "./heap.ts";

/**
 * A bounded queue that shares turns between callers by weight (start-time fair queueing). A caller's next turn is due
 * 1/weight of virtual time after the one before, and virtual time stands where the last turn was due: whoever asks for
 * less than its share goes next, and nobody saves up turns while away.
 */
export class FairQueue<T extends object> {
  readonly #mostWaiting: number;
  readonly #places = new Map<T, Place<T>>();
  readonly #flows = new Map<string, Flow<T>>();
  /** All flows. One in which nobody waits stays until its turn is due, else leaving and coming back would gain one. */
  readonly #byTurn = new Heap<Flow<T>>((one, other) =>
    one.dueAt === other.dueAt ? one.rank < other.rank : one.dueAt < other.dueAt,
  );
  /** Those flows in which somebody waits. */
  readonly #byBurden = new Heap<Flow<T>>((one, other) => one.burden > other.burden);
  #virtualTime = 0;
  #lastRank = 0;

  constructor(mostWaiting: number) {
    this.#mostWaiting = mostWaiting;
  }

  get waiting(): number {
    return this.#places.size;
  }

  /** How many callers the queue keeps in memory. */
  get callers(): number {
    return this.#flows.size;
  }

  /** All who wait, in no order that means anything. */
  items(): Iterable<T> {
    return this.#places.keys();
  }

  /**
   * Queues an item. When the queue is full, whoever came last goes, of the caller with the most waiters for its weight.
   * @param weight above 0; the latest one given holds for all that the caller has in the queue.
   * @returns who has no place: nobody, another item, or this one.
   */
  push(caller: string, weight: number, item: T): T | undefined {
    let displaced: T | undefined;
    if (this.waiting >= this.#mostWaiting) {
      const heaviest = this.#byBurden.first;
      const burden = ((this.#flows.get(caller)?.backlog ?? 0) + 1) / weight;
      if (!heaviest?.last || burden >= heaviest.burden) return item;
      displaced = heaviest.last.item;
      this.remove(displaced);
    }
    const flow = this.#flows.get(caller) ?? new Flow(caller, this.#virtualTime);
    this.#flows.set(caller, flow);
    if (flow.backlog === 0) flow.rank = ++this.#lastRank;
    flow.weight = weight;
    this.#places.set(item, flow.add(item));
    this.#byTurn.place(flow);
    this.#byBurden.place(flow);
    return displaced;
  }

  /** Who is next; undefined when nobody waits. */
  next(): T | undefined {
    for (let flow = this.#byTurn.first; flow; flow = this.#byTurn.first) {
      if (flow.first) return flow.first.item;
      this.#byTurn.remove(flow);
      this.#flows.delete(flow.caller);
    }
    return undefined;
  }

  /** Takes out who waits and has got a turn; the caller's next one is due later by that. */
  serve(item: T): void {
    const flow = this.#places.get(item)?.flow;
    if (!flow) return;
    this.#virtualTime = flow.dueAt;
    flow.dueAt += 1 / flow.weight;
    this.#byTurn.place(flow);
    this.remove(item);
  }

  /** Takes out who goes without a turn, wherever it stands; the caller's next one is due when it was. */
  remove(item: T): void {
    const place = this.#places.get(item);
    if (!place) return;
    const { flow } = place;
    this.#places.delete(item);
    flow.remove(place);
    if (flow.backlog > 0) this.#byBurden.place(flow);
    else this.#byBurden.remove(flow);
    // Where nobody waits, nobody has had more than its share.
    if (this.waiting === 0) this.#forgetAll();
  }

  /** Which turn from now on one more item of the caller would get if nobody else came: 1 is the next one. */
  turnOf(caller: string, weight: number): number {
    const { backlog = 0, dueAt = this.#virtualTime } = this.#flows.get(caller) ?? {};
    const mineAt = dueAt + backlog / weight;
    let turn = backlog + 1;
    for (const flow of this.#flows.values()) {
      if (flow.caller !== caller) turn += flow.turnsBefore(mineAt);
    }
    return turn;
  }

  #forgetAll(): void {
    this.#flows.clear();
    this.#byTurn.clear();
    this.#virtualTime = 0;
  }
}
