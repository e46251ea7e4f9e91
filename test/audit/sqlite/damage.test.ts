import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { append } from "../../../src/audit/sqlite/append.ts";
import { SqliteConnection } from "../../../src/audit/sqlite/connection.ts";
import { damage } from "../../../src/audit/sqlite/damage.ts";
import { prepareSchema } from "../../../src/audit/sqlite/schema.ts";
import { Trail } from "../rows.ts";
import type { Scope } from "../store-contract-place.ts";

const pageBytes = 4096;

/** The damage that is found in a store of 500 rows once its file was changed. */
function damageAfter(t: Scope, change: (content: Buffer) => void): string[] {
  const path = join(t.testdir(), "audit.db");
  const writer = new SqliteConnection(path);
  prepareSchema(writer, path, "create");
  append(writer, new Trail("a.1").rows(500), undefined);
  writer.close();
  const content = readFileSync(path);
  change(content);
  writeFileSync(path, content);
  const reader = new SqliteConnection(path, { readOnly: true });
  t.teardown(() => reader.close());
  return damage(reader);
}

t.test("a healthy store has none", async (t) => {
  t.strictSame(
    damageAfter(t, () => {}),
    [],
  );
});

t.test("overwritten pages are told, some lines of them", async (t) => {
  const lines = damageAfter(t, (content) => {
    const pages = content.length / pageBytes;
    content.fill("damage", pageBytes * Math.floor(pages / 2), pageBytes * Math.floor((pages * 3) / 4));
  });
  t.ok(lines.length > 1 && lines.length <= 20, `${lines.length} lines`);
});

t.test("an index that does not fit its table is told", async (t) => {
  const lines = damageAfter(t, (content) => {
    // A leaf page of an index begins with 10, and only one index holds months.
    const leaf = Array.from({ length: content.length / pageBytes }, (_, page) =>
      content.subarray(page * pageBytes, (page + 1) * pageBytes),
    ).find((page) => page[0] === 10 && page.includes("2027-03"));
    t.equal(leaf?.write("2027-02", leaf.lastIndexOf("2027-03")), 7);
  });
  t.match(lines.join("\n"), /row \d+ missing from index audit_record_segment/);
});

t.test("so broken that it cannot even be checked", async (t) => {
  t.strictSame(
    damageAfter(t, (content) => content.fill("x", 100, 108)),
    ["database disk image is malformed"],
  );
  t.strictSame(
    damageAfter(t, (content) => content.fill("x", 0, 100)),
    ["file is not a database"],
  );
});

t.test("what keeps from checking is not damage", async (t) => {
  const connection = new SqliteConnection(join(t.testdir(), "audit.db"));
  connection.close();
  t.throws(() => damage(connection), { message: "database is not open" });
});
