const units: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000 };

/** How often something may be done: `quota` times in `windowMs`, all at once if need be; `unlimited` is an infinite quota. */
export class Rate {
  readonly quota: number;
  readonly windowMs: number;

  constructor(quota: number, windowMs: number) {
    this.quota = quota;
    this.windowMs = windowMs;
  }

  get isUnlimited(): boolean {
    return this.quota === Number.POSITIVE_INFINITY;
  }

  /**
   * What each of so many equal parts gets. The quota is cut down to a whole number, but to no less than 1; the window
   * changes so that the rate is exactly the part: of 1/s each of 3 gets 1 in 3 s.
   */
  share(parts: number): Rate {
    if (this.isUnlimited) return this;
    const quota = Math.max(1, Math.floor(this.quota / parts));
    return new Rate(quota, (quota * parts * this.windowMs) / this.quota);
  }

  /** As it is written in the configuration; a window that cannot be written there in ms. */
  toString(): string {
    if (this.isUnlimited) return "unlimited";
    const unit = Object.entries(units).find(([, ms]) => ms === this.windowMs)?.[0];
    return `${this.quota}/${unit ?? `${this.windowMs}ms`}`;
  }
}

/**
 * Reads `100/s`, `600/m`, `1000/h` or `unlimited`.
 * @throws Error that says what would be right.
 */
export function parseRate(text: string): Rate {
  if (text === "unlimited") return new Rate(Number.POSITIVE_INFINITY, 1_000);
  const [, quota = "", unit = ""] = /^([1-9]\d{0,6})\/([smh])$/.exec(text) ?? [];
  const windowMs = units[unit];
  if (windowMs === undefined) throw new Error("must be a rate such as 100/s, 600/m or 1000/h, or unlimited");
  return new Rate(Number(quota), windowMs);
}
