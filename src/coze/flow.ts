/** Where an item stands in the line of its caller. */
export interface Place<T> {
  readonly item: T;
  readonly flow: Flow<T>;
  before: Place<T> | undefined;
  after: Place<T> | undefined;
}

/** One caller's line in the fair queue: first come, first served; anybody can step out in O(1). */
export class Flow<T> {
  readonly caller: string;
  weight = 1;
  /** Virtual time from which its next turn is due. */
  dueAt: number;
  /** Decides between flows whose turns are due at the same time. */
  rank = 0;
  backlog = 0;
  first: Place<T> | undefined;
  last: Place<T> | undefined;

  constructor(caller: string, dueAt: number) {
    this.caller = caller;
    this.dueAt = dueAt;
  }

  /** How many wait for each unit of weight. */
  get burden(): number {
    return this.backlog / this.weight;
  }

  /** Adds an item at the end. */
  add(item: T): Place<T> {
    const place: Place<T> = { item, flow: this, before: this.last, after: undefined };
    if (this.last) this.last.after = place;
    else this.first = place;
    this.last = place;
    this.backlog += 1;
    return place;
  }

  /** Takes a place of this line out of it. */
  remove({ before, after }: Place<T>): void {
    if (before) before.after = after;
    else this.first = after;
    if (after) after.before = before;
    else this.last = before;
    this.backlog -= 1;
  }

  /** How many of those who wait get their turn before that virtual time, or all of them. */
  turnsBefore(time: number): number {
    return Math.min(this.backlog, Math.max(0, Math.ceil((time - this.dueAt) * this.weight)));
  }
}
