import { join } from "node:path";
import { append } from "../../../src/audit/sqlite/append.ts";
import { SqliteConnection } from "../../../src/audit/sqlite/connection.ts";
import { type FileAccess, SqliteFile } from "../../../src/audit/sqlite/file.ts";
import { Trail } from "../rows.ts";
import type { Scope } from "../store-contract-place.ts";

/** Opens a file; it is closed at the end of the test. */
export function opened(
  t: Pick<Scope, "teardown">,
  path: string,
  readOnly: boolean | FileAccess = false,
): SqliteFile {
  const access = readOnly === true ? "read" : readOnly || "own";
  const file = SqliteFile.open(path, access);
  t.teardown(() => file.close());
  return file;
}

/** A new store that is open for writing, in a folder of its own. */
export function fresh(t: Scope, folder = t.testdir()) {
  const path = join(folder, "audit.db");
  const file = opened(t, path);
  const trail = new Trail("a.1");
  const store = () => {
    const { head } = trail;
    file.use("append", (connection) => append(connection, [trail.next()], head));
  };
  return { folder, path, file, store };
}

/** The number of rows that a file gives. */
export function count(file: SqliteFile): number | undefined {
  return file.use("read", countIn);
}

/** The same of a connection. */
export function countIn(connection: SqliteConnection): number | undefined {
  return connection.first<{ n: number }>("SELECT count(*) AS n FROM audit_record")?.n;
}

/** A copy of the store as it is now, as that of a stopped gateway would be. */
export function backUp(path: string, to: string): void {
  const connection = new SqliteConnection(path);
  connection.exec(`VACUUM INTO '${to}'`);
  connection.close();
  SqliteFile.open(to, "own").close();
}
