import { DatabaseSync, type SQLInputValue } from "node:sqlite";
import canonicalize from "canonicalize";
import { genesisHash, hashOf } from "../../src/audit/chain.ts";
import type { AuditRecord, Link } from "../../src/audit/record.ts";
import { labelsOf, type StoredRow } from "../../src/audit/store.ts";

/** A row of `audit_record` as it is in the file; the logids are in a table of their own. */
export type RawRow = Omit<StoredRow, "logids"> & Record<string, SQLInputValue>;

/** Somebody who has the file and knows SQLite: takes the triggers away and changes what they like. */
export class Attacker {
  readonly #database: DatabaseSync;

  constructor(path: string) {
    this.#database = new DatabaseSync(path);
    this.#database.exec("PRAGMA synchronous = OFF");
    for (const { name } of this.#database
      .prepare("SELECT name FROM sqlite_schema WHERE type = 'trigger'")
      .all()) {
      this.#database.exec(`DROP TRIGGER ${name}`);
    }
  }

  /** Makes the table anew without its constraint, so that a stream can have a number twice. */
  allowRepeats(): void {
    const { sql } = this.#database
      .prepare("SELECT sql FROM sqlite_schema WHERE name = 'audit_record'")
      .get() as {
      sql: string;
    };
    const loose = sql.replace(/,\s*UNIQUE \(stream, seq\)/, "");
    if (loose === sql) throw new Error("the table has no such constraint");
    this.#database.exec(`
      ALTER TABLE audit_record RENAME TO strict_record; ${loose};
      INSERT INTO audit_record SELECT * FROM strict_record; DROP TABLE strict_record;
      CREATE INDEX loose ON audit_record (stream, seq)`);
  }

  /** Remembers all rows, for `restore`. */
  remember(): void {
    this.#database.exec(`ATTACH ':memory:' AS memory;
      CREATE TABLE memory.record AS SELECT * FROM main.audit_record;
      CREATE TABLE memory.logid AS SELECT * FROM main.audit_logid`);
  }

  /** Undoes everything since `remember`. */
  restore(): void {
    this.#database.exec(`BEGIN; DELETE FROM main.audit_record; DELETE FROM main.audit_logid;
      INSERT INTO main.audit_record SELECT * FROM memory.record;
      INSERT INTO main.audit_logid SELECT * FROM memory.logid; COMMIT`);
  }

  /** All rows by position. */
  rows(): RawRow[] {
    return this.#database.prepare("SELECT * FROM main.audit_record ORDER BY position").all() as RawRow[];
  }

  /** Runs one statement; when it must change so many rows and does not, the test would test nothing. */
  run(expected: number | undefined, sql: string, ...values: SQLInputValue[]): void {
    const { changes } = this.#database.prepare(sql).run(...values);
    if (expected !== undefined && Number(changes) !== expected)
      throw new Error(`${changes} rows changed by ${sql}`);
  }

  /** Writes all columns of a row, found by its position. */
  overwrite(position: number, row: Partial<RawRow>): void {
    const columns = Object.keys(row);
    const values = Object.values(row) as SQLInputValue[];
    this.run(
      1,
      `UPDATE main.audit_record SET ${columns.map((name) => `${name} = ?`)} WHERE position = ?`,
      ...values,
      position,
    );
  }

  /** Adds a row. */
  insert(row: Partial<RawRow>): void {
    const columns = Object.keys(row);
    const values = Object.values(row) as SQLInputValue[];
    this.run(1, `INSERT INTO main.audit_record (${columns}) VALUES (${columns.map(() => "?")})`, ...values);
  }

  /** The place of a record and its hash. */
  linkAt(stream: string, seq: number): Link {
    const row = this.rows().find((row) => row.stream === stream && row.seq === seq);
    if (!row) throw new Error(`there is no ${stream}:${seq}`);
    return { stream, seq, hash: row.hash };
  }

  /**
   * Edits records of a stream and makes the chain fit from one of them to another, hashes, links and labels.
   * @returns the last one.
   */
  rewrite(stream: string, from: number, to: number, edit: (record: AuditRecord) => object): Link {
    const rows = this.rows().filter((row) => row.stream === stream && row.seq <= to);
    let hash = rows.find(({ seq }) => seq === from - 1)?.hash ?? genesisHash;
    for (const { position, text } of rows.filter(({ seq }) => seq >= from)) {
      const row = seal({ ...JSON.parse(text), ...edit(JSON.parse(text)), prev_hash: hash });
      this.overwrite(position, row);
      hash = row.hash;
    }
    return { stream, seq: to, hash };
  }

  /** Adds a record after another one of its stream, fitting to that. */
  forge(stream: string, after: number, edit: (record: AuditRecord) => object): void {
    const row = this.rows().find((row) => row.stream === stream && row.seq === after);
    if (!row) throw new Error(`there is no ${stream}:${after}`);
    const record: AuditRecord = JSON.parse(row.text);
    this.insert(seal({ ...record, ...edit(record), seq: after + 1, prev_hash: row.hash }));
  }

  close(): void {
    this.#database.close();
  }
}

function seal(record: AuditRecord): Omit<RawRow, "position"> & { readonly hash: string } {
  const text = canonicalize(record) as string;
  const { logids: _, ...labels } = labelsOf(record);
  return { ...labels, text, hash: hashOf(text) };
}
