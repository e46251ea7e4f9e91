/** How tokens may show up in text, by their generation: what is known here can be found and taken out. */
export class KnownForms {
  #forms: ReadonlyMap<number, readonly string[]> = new Map();

  /** Learns a token and forgets those that `keep` does not name. */
  add(value: string, generation: number, keep: readonly number[]): void {
    const kept = [...this.#forms].filter(([each]) => keep.includes(each));
    this.#forms = new Map([[generation, encodingsOf(value)], ...kept]);
  }

  /** True when the bytes hold one of the tokens, as it is or in a common encoding. */
  isIn(bytes: Buffer): boolean {
    return [...this.#forms.values()].some((forms) => forms.some((form) => bytes.includes(form)));
  }

  /** The text with the tokens, in any of their forms, replaced. */
  redact(text: string): string {
    return [...this.#forms.values()].reduce(withoutForms, text);
  }
}

/** The text with each of the forms replaced. */
export function withoutForms(text: string, forms: readonly string[]): string {
  return forms.reduce((clean, form) => clean.replaceAll(form, "[redacted]"), text);
}

/** Plain, URL-encoded, JSON-escaped, and base64 in both alphabets at each of the three alignments. */
export function encodingsOf(secret: string): string[] {
  const base64 = [0, 1, 2].flatMap((offset) =>
    (["base64", "base64url"] as const).map((alphabet) => {
      const padded = Buffer.from(" ".repeat(offset) + secret);
      const whole = padded.subarray(0, padded.length - (padded.length % 3)).toString(alphabet);
      // The first four characters also depend on what stands before the secret.
      return offset === 0 ? whole : whole.slice(4);
    }),
  );
  const forms = [secret, encodeURIComponent(secret), JSON.stringify(secret).slice(1, -1), ...base64];
  return [...new Set(forms)].filter((form) => form.length >= 8);
}
