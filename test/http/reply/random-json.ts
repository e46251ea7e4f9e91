import fc from "fast-check";

/** A JSON value as it is written: what it means, and every space and escape of how it is said. */
export type Written =
  | { readonly kind: "object"; readonly members: readonly WrittenMember[]; readonly empty: string }
  | { readonly kind: "array"; readonly elements: readonly Padded[]; readonly empty: string }
  | { readonly kind: "string"; readonly text: string; readonly raw: string }
  | { readonly kind: "scalar"; readonly raw: string };

/** A value with the space before and after it. */
export interface Padded {
  readonly before: string;
  readonly value: Written;
  readonly after: string;
}

/** A member with the space before its name and between name and colon. */
export interface WrittenMember extends Padded {
  readonly lead: string;
  readonly name: string;
  readonly rawName: string;
  readonly gap: string;
}

/** The text. */
export function write(value: Written): string {
  switch (value.kind) {
    case "object":
      if (value.members.length === 0) return `{${value.empty}}`;
      return `{${value.members
        .map(({ lead, rawName, gap, ...padded }) => `${lead}${rawName}${gap}:${writePadded(padded)}`)
        .join(",")}}`;
    case "array":
      return `[${value.elements.length === 0 ? value.empty : value.elements.map(writePadded).join(",")}]`;
    default:
      return value.raw;
  }
}

const writePadded = ({ before, value, after }: Padded) => before + write(value) + after;

/** A string as JSON can write it, each character plain or escaped as the numbers say. */
function quoted(text: string, choices: readonly number[]): string {
  const written = text.split("").map((unit, index) => {
    const plain = JSON.stringify(unit).slice(1, -1);
    const hex = unit.charCodeAt(0).toString(16).padStart(4, "0");
    const choice = choices[index % choices.length];
    // A half of a pair beside an escaped half would be bytes that are no UTF-8.
    if (choice === 0 || /[\ud800-\udfff]/.test(unit)) return `\\u${hex}`;
    return choice === 1 ? `\\u${hex.toUpperCase()}` : plain;
  });
  return `"${written.join("")}"`;
}

const space = fc
  .array(fc.constantFrom(" ", "\t", "\n", "\r\n"), { maxLength: 2 })
  .map((units) => units.join(""));
const choices = fc.array(fc.nat({ max: 12 }), { minLength: 1, maxLength: 9 });

/** Names and texts that rules look at, near misses, and any others. */
const names = fc.oneof(
  fc.constantFrom("verify_token", "id", "data", "items", "app_type", "api_app_id", "event_type", "name"),
  fc.constantFrom("Verify_token", "verify_token ", "verify-token", "", "__proto__", "é"),
  fc.string({ unit: "binary", maxLength: 6 }),
);
const texts = fc.oneof(
  fc.constantFrom("7512345678901234567", "7512345678901234568", "cli_1", "normal", "bot.deleted"),
  fc.constantFrom("verify_token", 'a"verify_token":"b"', "[,]{}", "\\", "订单", "😀", ""),
  fc.string({ unit: "binary", maxLength: 8 }),
);

const string = fc
  .tuple(texts, choices)
  .map(([text, how]): Written => ({ kind: "string", text, raw: quoted(text, how) }));
const scalar = fc
  .oneof(
    fc.constantFrom("true", "false", "null", "0", "-0", "1e400", "-1.50E+07", "0.1e-3"),
    fc.bigInt().map(String),
    fc.double({ noNaN: true, noDefaultInfinity: true }).map(String),
  )
  .map((raw): Written => ({ kind: "scalar", raw }));

/** A member whose name is given or any. */
export function memberOf(value: fc.Arbitrary<Written>, name = names): fc.Arbitrary<WrittenMember> {
  return fc.tuple(name, choices, space, space, space, space, value).map(([text, how, ...rest]) => {
    const [lead, gap, before, after, written] = rest;
    return { name: text, rawName: quoted(text, how), lead, gap, before, after, value: written };
  });
}

/** An object of such members. */
export function objectOf(members: fc.Arbitrary<readonly WrittenMember[]>): fc.Arbitrary<Written> {
  return fc.record({ kind: fc.constant("object" as const), members, empty: space });
}

/** An array of such values. */
export function arrayOf(value: fc.Arbitrary<Written>, maxLength = 4): fc.Arbitrary<Written> {
  const padded = fc.record({ before: space, value, after: space });
  const elements = fc.array(padded, { maxLength });
  return fc.record({ kind: fc.constant("array" as const), elements, empty: space });
}

/** Any value. */
export const json: fc.Arbitrary<Written> = fc.letrec<{ value: Written }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, depthIdentifier: "json" },
    string,
    scalar,
    objectOf(fc.array(memberOf(tie("value")), { maxLength: 4 })),
    arrayOf(tie("value")),
  ),
})).value;

/** An item of a list: mostly as Coze's are. */
const item = fc.oneof(
  { weight: 4, arbitrary: objectOf(fc.array(memberOf(fc.oneof(string, scalar)), { maxLength: 6 })) },
  { weight: 1, arbitrary: json },
);

/** A reply with a list, in which any member can be missing, be there twice, or be something else. */
export const reply: fc.Arbitrary<Written> = objectOf(
  fc.array(
    fc.oneof(
      {
        weight: 2,
        arbitrary: memberOf(
          objectOf(
            fc.array(
              fc.oneof(
                { weight: 3, arbitrary: memberOf(arrayOf(item, 6), fc.constant("items")) },
                { weight: 1, arbitrary: memberOf(json) },
              ),
              { maxLength: 3 },
            ),
          ),
          fc.constant("data"),
        ),
      },
      { weight: 1, arbitrary: memberOf(json) },
    ),
    { maxLength: 3 },
  ),
);
