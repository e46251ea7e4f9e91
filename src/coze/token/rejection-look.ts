/** Rejections make the source be looked at once in this time, in ms, however many calls meet one. */
const lookEveryMs = 3_000;

/** Looks at the source of tokens because Coze rejected one: one look at a time, and none soon after another. */
export class RejectionLook {
  readonly #look: () => Promise<void>;
  readonly #now: () => number;
  #underWay: Promise<void> | undefined;
  #lookedAt = Number.NEGATIVE_INFINITY;

  /** @param now monotonic ms. */
  constructor(look: () => Promise<void>, now: () => number) {
    this.#look = look;
    this.#now = now;
  }

  /** The look that is under way, or a new one; undefined when the last one was a moment ago. */
  once(): Promise<void> | undefined {
    const now = this.#now();
    if (this.#underWay || now - this.#lookedAt < lookEveryMs) return this.#underWay;
    this.#lookedAt = now;
    this.#underWay = this.#look().finally(() => {
      this.#underWay = undefined;
    });
    return this.#underWay;
  }
}
