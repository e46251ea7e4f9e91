/** A binary heap that knows where each member stands, so that one can change or leave in O(log n). */
export class Heap<T extends object> {
  readonly #precedes: (one: T, other: T) => boolean;
  readonly #members: T[] = [];
  readonly #places = new Map<T, number>();

  /** @param precedes whether one member comes before another. */
  constructor(precedes: (one: T, other: T) => boolean) {
    this.#precedes = precedes;
  }

  /** The member before which no other one comes; undefined when there is none. */
  get first(): T | undefined {
    return this.#members[0];
  }

  /** Adds a member, or puts one right whose order has changed. */
  place(member: T): void {
    this.#sink(member, this.#rise(member, this.#places.get(member) ?? this.#members.length));
  }

  /** Takes a member out, if it is one. */
  remove(member: T): void {
    const at = this.#places.get(member);
    if (at === undefined) return;
    const last = this.#members.pop();
    this.#places.delete(member);
    if (last === undefined || last === member) return;
    this.#places.set(last, at);
    this.place(last);
  }

  /** Takes all members out. */
  clear(): void {
    this.#members.length = 0;
    this.#places.clear();
  }

  #rise(member: T, from: number): number {
    let at = from;
    while (at > 0) {
      const above = (at - 1) >> 1;
      const parent = this.#members[above];
      if (parent === undefined || !this.#precedes(member, parent)) break;
      this.#put(parent, at);
      at = above;
    }
    this.#put(member, at);
    return at;
  }

  #sink(member: T, from: number): void {
    let at = from;
    for (;;) {
      const [left, right] = [this.#members[2 * at + 1], this.#members[2 * at + 2]];
      const isRight = left !== undefined && right !== undefined && this.#precedes(right, left);
      const child = isRight ? right : left;
      if (child === undefined || !this.#precedes(child, member)) break;
      this.#put(child, at);
      at = 2 * at + (isRight ? 2 : 1);
    }
    this.#put(member, at);
  }

  #put(member: T, at: number): void {
    this.#members[at] = member;
    this.#places.set(member, at);
  }
}
