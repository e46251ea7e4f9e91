import { inspect } from "node:util";

/** Something that never prints: JSON, string, template and `util.inspect` all show `[redacted]`. */
export class Unprintable {
  toString(): string {
    return "[redacted]";
  }

  toJSON(): string {
    return "[redacted]";
  }

  [inspect.custom](): string {
    return "[redacted]";
  }
}

/** A value that never prints. */
export class Secret extends Unprintable {
  readonly #value: string;

  constructor(value: string) {
    super();
    this.#value = value;
  }

  /** The value itself; call it only where it is put to use. */
  reveal(): string {
    return this.#value;
  }
}
