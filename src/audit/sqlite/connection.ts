import { DatabaseSync, type SQLInputValue, type SQLOutputValue, type StatementSync } from "node:sqlite";

/** One connection to an SQLite file, with the statements that were prepared on it. */
export class SqliteConnection {
  readonly #database: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();

  /**
   * Opens the file; it is not read before the first statement.
   * @param location a path, or a URL with options of SQLite.
   */
  constructor(
    location: string | URL,
    { readOnly = false, timeoutMs = 300 }: { readOnly?: boolean; timeoutMs?: number } = {},
  ) {
    this.#database = new DatabaseSync(location, { readOnly, timeout: timeoutMs, defensive: true });
  }

  /** Runs statements without values or results. */
  exec(sql: string): void {
    this.#database.exec(sql);
  }

  /** The statement of an SQL text, kept for its next use; so the text must be one of few. */
  statement(sql: string): StatementSync {
    const known = this.#statements.get(sql);
    if (known) return known;
    const made = this.#database.prepare(sql);
    this.#statements.set(sql, made);
    return made;
  }

  /** All rows of a query as the caller knows them from the schema. */
  all<R extends object>(sql: string, ...values: SQLInputValue[]): R[] {
    return this.statement(sql).all(...values) as R[];
  }

  /** The same, each row as the list of its values. */
  lists<R extends readonly SQLOutputValue[]>(sql: string, ...values: SQLInputValue[]): R[] {
    const statement = this.statement(sql);
    statement.setReturnArrays(true);
    return statement.all(...values) as unknown[] as R[];
  }

  /** The first row of a query as the caller knows it from the schema; undefined when there is none. */
  first<R extends object>(sql: string, ...values: SQLInputValue[]): R | undefined {
    return this.statement(sql).get(...values) as R | undefined;
  }

  /** Runs all or nothing; `IMMEDIATE` for changes, `DEFERRED` to read several times from one state. */
  transaction<T>(kind: "IMMEDIATE" | "DEFERRED", run: () => T): T {
    this.exec(`BEGIN ${kind}`);
    try {
      const result = run();
      this.exec("COMMIT");
      return result;
    } finally {
      // Also a COMMIT that failed leaves the transaction open.
      if (this.#database.isTransaction) this.exec("ROLLBACK");
    }
  }

  /** Closes the file; the last connection of all tidies up the WAL file. */
  close(): void {
    this.#database.close();
  }
}
