import { hashOf } from "../../src/audit/chain.ts";
import type { FaultKind } from "../../src/audit/verify/findings.ts";
import type { Attacker, RawRow } from "./attacker.ts";
import type { Random } from "./random.ts";

/** What somebody does to a store at random. */
export interface Edit {
  readonly name: string;
  /** What must be among the faults that are found. */
  readonly found: FaultKind;
  /** Without the anchors it can stay unseen. */
  readonly needsAnchors?: boolean;
  /** Takes a table that lets a stream have a number twice. */
  readonly needsRepeats?: boolean;
  readonly make: (attacker: Attacker, random: Random) => void;
}

const isLast = (row: RawRow, rows: readonly RawRow[]) =>
  !rows.some(({ stream, seq }) => stream === row.stream && seq > row.seq);

/** Rows with another one after them in their stream. */
const inner = (rows: readonly RawRow[]) => rows.filter((row) => !isLast(row, rows));

const ofStream = (stream: string, rows: readonly RawRow[]) => rows.filter((row) => row.stream === stream);

/** Two different rows, of one stream or of any. */
function pair(rows: readonly RawRow[], random: Random): [RawRow, RawRow] {
  const [one, other] = [random.of(rows), random.of(rows)];
  return one.position === other.position ? pair(rows, random) : [one, other];
}

/** The text with one character replaced, added or taken out. */
function misspell(text: string, random: Random): string {
  const at = random.below(text.length);
  const char = String.fromCharCode(0x20 + random.below(0x5f));
  const kept = random.of([at, at + 1]);
  const made = text.slice(0, at) + random.of([char, ""]) + text.slice(kept);
  return made === text ? misspell(text, random) : made;
}

const columns = [
  "segment",
  "time",
  "kind",
  "request_id",
  "caller",
  "operation",
  "api_app_id",
  "outcome",
] as const;
const places = ["stream", "seq", "closes_stream", "closes_seq"] as const;

function change(value: string | number, random: Random): string | number {
  if (typeof value === "number") return value + random.of([-1, 1]) * (1000 + random.below(1000));
  return misspell(value, random);
}

function remove(attacker: Attacker, rows: readonly RawRow[]): void {
  for (const { position } of rows)
    attacker.run(1, "DELETE FROM main.audit_record WHERE position = ?", position);
}

/** A copy at the end of the table, with other values in some columns. */
function copy(attacker: Attacker, { position: _, ...row }: RawRow, changed: Partial<RawRow> = {}): void {
  attacker.insert({ ...row, ...changed });
}

/** All kinds of edits that the random test makes. */
export const edits: readonly Edit[] = [
  {
    name: "one character of a text",
    found: "altered",
    make: (attacker, random) => {
      const { position, text } = random.of(attacker.rows());
      attacker.overwrite(position, { text: misspell(text, random) });
    },
  },
  {
    name: "one character of a hash",
    found: "altered",
    make: (attacker, random) => {
      const { position, hash } = random.of(attacker.rows());
      attacker.overwrite(position, { hash: misspell(hash, random) });
    },
  },
  {
    name: "a text with a fitting hash",
    found: "unlinked",
    make: (attacker, random) => {
      const { position, text } = random.of(inner(attacker.rows()));
      const edited = text.replace(/"uptime_ms":/, `"uptime_ms":${1 + random.below(9)}`);
      attacker.overwrite(position, { text: edited, hash: hashOf(edited) });
    },
  },
  {
    name: "a text that is no record, with a fitting hash",
    found: "unreadable",
    make: (attacker, random) => {
      const { position, text } = random.of(attacker.rows());
      const edited = random.of([
        text.slice(1 + random.below(text.length - 1)),
        `[${text}]`,
        " ",
        "null",
        "7",
      ]);
      attacker.overwrite(position, { text: edited, hash: hashOf(edited) });
    },
  },
  {
    name: "a column",
    found: "mislabeled",
    make: (attacker, random) => {
      const row = random.of(attacker.rows());
      const column = random.of([...columns, ...places]);
      const before = row[column] ?? (column === "closes_seq" ? 0 : "");
      attacker.overwrite(row.position, { [column]: change(before, random) });
    },
  },
  {
    name: "a logid",
    found: "mislabeled",
    make: (attacker, random) => {
      const { position } = random.of(attacker.rows().filter(({ kind }) => kind === "outcome"));
      random.of([
        () => attacker.run(1, "INSERT INTO main.audit_logid VALUES (?, 'forged')", position),
        () =>
          attacker.run(
            1,
            "UPDATE main.audit_logid SET logid = logid || 'x' WHERE position = ? AND logid <> 'log-b'",
            position,
          ),
        () =>
          attacker.run(1, "DELETE FROM main.audit_logid WHERE position = ? AND logid <> 'log-b'", position),
      ])();
    },
  },
  {
    name: "deletions",
    found: "missing",
    make: (attacker, random) => remove(attacker, random.some(inner(attacker.rows()), 5)),
  },
  {
    name: "the beginning of a stream",
    found: "missing",
    make: (attacker, random) => {
      const rows = attacker.rows();
      const stream = ofStream(random.of(rows).stream, rows);
      remove(attacker, stream.slice(0, 1 + random.below(stream.length - 1)));
    },
  },
  {
    name: "swapped texts",
    found: "altered",
    make: (attacker, random) => {
      const [one, other] = pair(attacker.rows(), random);
      attacker.overwrite(one.position, { text: other.text });
      attacker.overwrite(other.position, { text: one.text });
    },
  },
  {
    name: "swapped contents",
    found: "mislabeled",
    make: (attacker, random) => {
      const [one, other] = pair(attacker.rows(), random);
      attacker.overwrite(one.position, { text: other.text, hash: other.hash });
      attacker.overwrite(other.position, { text: one.text, hash: one.hash });
    },
  },
  {
    name: "swapped numbers",
    found: "mislabeled",
    make: (attacker, random) => {
      const rows = attacker.rows();
      const [one, other] = pair(ofStream(random.of(rows).stream, rows), random);
      attacker.overwrite(one.position, { seq: -1 });
      attacker.overwrite(other.position, { seq: one.seq });
      attacker.overwrite(one.position, { seq: other.seq });
    },
  },
  {
    name: "swapped positions",
    found: "out_of_order",
    make: (attacker, random) => {
      const rows = attacker.rows();
      const [one, other] = pair(ofStream(random.of(rows).stream, rows), random);
      for (const table of ["audit_record", "audit_logid"]) {
        for (const [from, to] of [
          [one.position, -1],
          [other.position, one.position],
          [-1, other.position],
        ] as const) {
          const expected = table === "audit_record" ? 1 : undefined;
          attacker.run(expected, `UPDATE main.${table} SET position = ? WHERE position = ?`, to, from);
        }
      }
    },
  },
  {
    name: "a copy under the next number",
    found: "mislabeled",
    make: (attacker, random) => {
      const rows = attacker.rows();
      const row = random.of(rows);
      copy(attacker, row, { seq: Math.max(...ofStream(row.stream, rows).map(({ seq }) => seq)) + 1 });
    },
  },
  {
    name: "a copy under another stream",
    found: "mislabeled",
    make: (attacker, random) =>
      copy(attacker, random.of(attacker.rows()), { stream: random.of(["a.0", "b.2x", "z.9"]) }),
  },
  {
    name: "a copy under the same number",
    found: "out_of_order",
    needsRepeats: true,
    make: (attacker, random) => copy(attacker, random.of(attacker.rows())),
  },
  {
    name: "a forged row in the middle",
    found: "mislabeled",
    make: (attacker, random) => {
      const row = random.of(inner(attacker.rows()));
      const { stream, seq, hash, text, position: _, ...rest } = row;
      const later = ofStream(stream, attacker.rows()).filter((other) => other.seq > seq);
      for (const other of later.reverse()) attacker.overwrite(other.position, { seq: other.seq + 1 });
      const forged = text
        .replace(`"seq":${seq},"settled`, `"seq":${seq + 1},"settled`)
        .replace(/"prev_hash":"\w+"/, `"prev_hash":"${hash}"`);
      attacker.insert({ ...rest, stream, seq: seq + 1, text: forged, hash: hashOf(forged) });
    },
  },
  {
    name: "the end of a stream",
    found: "cut",
    needsAnchors: true,
    make: (attacker, random) => {
      const rows = attacker.rows();
      const stream = ofStream(random.of(rows).stream, rows);
      remove(attacker, stream.slice(1 + random.below(stream.length - 1)));
    },
  },
  {
    name: "a whole stream",
    found: "cut",
    needsAnchors: true,
    make: (attacker, random) => {
      const rows = attacker.rows();
      remove(attacker, ofStream(random.of(rows).stream, rows));
    },
  },
];
