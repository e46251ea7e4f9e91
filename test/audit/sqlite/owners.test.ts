import { join } from "node:path";
import t from "tap";
import { append } from "../../../src/audit/sqlite/append.ts";
import { SqliteConnection } from "../../../src/audit/sqlite/connection.ts";
import { owners, ownersDamage, ownersOf } from "../../../src/audit/sqlite/owners.ts";
import { prepareSchema } from "../../../src/audit/sqlite/schema.ts";
import { openSqliteStore } from "../../../src/audit/sqlite/store.ts";
import { verify } from "../../../src/audit/verify/verify.ts";
import { Attacker } from "../attacker.ts";
import { Trail } from "../rows.ts";
import type { Scope } from "../store-contract-place.ts";

/** A store with an app of billing, one that went from there to crm, and one that was taken from it. */
function filled(t: Scope) {
  const path = join(t.testdir(), "audit.db");
  const connection = new SqliteConnection(path);
  t.teardown(() => connection.close());
  prepareSchema(connection, path, "create");
  const trail = new Trail("a.1");
  append(
    connection,
    [
      trail.created("1", "billing"),
      trail.created("2", "billing"),
      trail.ownerChange("2", "billing", "crm"),
      trail.created("3", "billing"),
      trail.ownerChange("3", "billing", ""),
      trail.ownerChange("2", "billing", "shop"),
    ],
    undefined,
  );
  return { path, connection };
}

t.test("an owner that somebody edited is told, with the record that it names", async (t) => {
  const edits: readonly (readonly [string, readonly string[]])[] = [
    [
      "UPDATE app_owner SET owner = 'mallory' WHERE api_app_id = '1'",
      ['app_owner: 1 belongs to "mallory", but a.1:1, which it names, does not say so'],
    ],
    [
      "UPDATE app_owner SET owner = 'mallory' WHERE api_app_id = '3'",
      ['app_owner: 3 belongs to "mallory", but a.1:5, which it names, does not say so'],
    ],
    [
      "UPDATE app_owner SET since = since + 1 WHERE api_app_id = '2'",
      ['app_owner: 2 belongs to "crm", but a.1:3, which it names, does not say so'],
    ],
    [
      "UPDATE app_owner SET position = 77 WHERE api_app_id = '2'",
      ['app_owner: 2 belongs to "crm", but a.1:3, which it names, does not say so'],
    ],
    [
      "UPDATE app_owner SET seq = 4 WHERE api_app_id = '1'",
      ['app_owner: 1 belongs to "billing", but a.1:4, which it names, does not say so'],
    ],
    [
      "UPDATE app_owner SET (owner, since, seq, position) = (SELECT caller, time, seq, position FROM audit_record WHERE seq = 2) WHERE api_app_id = '2'",
      [
        'app_owner: 2 belongs to "billing", but a.1:3 changed that',
        'app_owner: 2 belongs to "billing", but a.1:6 changed that',
      ],
    ],
    [
      "DELETE FROM app_owner WHERE api_app_id = '1'",
      ['app_owner: 1 is not there, but a.1:1 says that "billing" owns it'],
    ],
    [
      "DELETE FROM app_owner WHERE api_app_id = '3'",
      ['app_owner: 3 is not there, but a.1:4 says that "billing" owns it'],
    ],
    [
      "INSERT INTO app_owner VALUES ('9', 'mallory', 0, 'a.1', 77, 77)",
      ['app_owner: 9 belongs to "mallory", but a.1:77, which it names, does not say so'],
    ],
    // As if retention had removed all of that stream.
    ["INSERT INTO app_owner VALUES ('9', 'mallory', 0, 'gone.1', 1, 1)", []],
  ];
  for (const [edit, lines] of edits) {
    const { path, connection } = filled(t);
    t.strictSame(ownersDamage(connection, 20), []);
    const attacker = new Attacker(path);
    attacker.run(1, edit);
    attacker.close();
    t.strictSame(ownersDamage(connection, 20), lines, edit);
    t.equal(ownersDamage(connection, 1).length, Math.min(1, lines.length));
  }
});

t.test("verify tells of it", async (t) => {
  const { path } = filled(t);
  const attacker = new Attacker(path);
  attacker.run(1, "UPDATE app_owner SET owner = 'mallory' WHERE api_app_id = '1'");
  attacker.close();
  const store = await openSqliteStore(path, {});
  t.teardown(() => store.close());
  const { faults } = await verify(store);
  t.match(faults, [{ kind: "damaged", count: 1, first: { what: /^app_owner: 1 belongs to "mallory"/ } }]);
  t.equal(faults.length, 1);
});

t.test("an id is looked up as it is, and is never SQL", async (t) => {
  const { connection } = filled(t);
  t.strictSame(ownersOf(connection, ["2", "1", "3", "4", "2"]).toSorted(), [
    ["1", "billing"],
    ["2", "crm"],
    ["2", "crm"],
  ]);
  t.strictSame(ownersOf(connection, ["1.0", "01", " 1", "' OR true --", '"', "[1]"]), []);
  t.strictSame(owners(connection, { owner: "' OR true --", limit: 9 }), []);
});

t.test("looking up costs what is asked for, not what is owned", async (t) => {
  const path = join(t.testdir(), "audit.db");
  const connection = new SqliteConnection(path);
  t.teardown(() => connection.close());
  prepareSchema(connection, path, "create");
  connection.exec("PRAGMA synchronous = OFF");
  const trail = new Trail("a.1");
  const fill = (from: number, to: number) => {
    const created = Array.from({ length: to - from }, (_, at) =>
      trail.created(`app-${from + at}`, "billing"),
    );
    append(connection, created, undefined);
  };
  const wanted = Array.from({ length: 100 }, (_, at) => `app-${at * 9}`);
  const lookups = () => {
    const times = Array.from({ length: 200 }, () => {
      const startedAt = performance.now();
      if (ownersOf(connection, wanted).length !== 100) throw new Error("owners are missing");
      return performance.now() - startedAt;
    });
    return times.sort((one, other) => one - other)[100] ?? 0;
  };
  fill(0, 1_000);
  const few = lookups();
  for (let from = 1_000; from < 100_000; from += 9_900) fill(from, from + 9_900);
  t.same(connection.first("SELECT count(*) AS n FROM app_owner"), { n: 100_000 });
  const many = lookups();
  t.comment(`100 owners of 1,000: ${few.toFixed(3)} ms; of 100,000: ${many.toFixed(3)} ms`);
  t.ok(many < 10 * few + 5, "a hundred times as many would take a hundred times as long");
  const explained = (sql: string, ...values: (string | number)[]) =>
    connection.all<{ detail: string }>(`EXPLAIN QUERY PLAN ${sql}`, ...values).map(({ detail }) => detail);
  t.match(
    explained(
      "SELECT owner FROM json_each(?) AS asked CROSS JOIN app_owner ON api_app_id = asked.value WHERE owner <> ''",
      "[]",
    ).join(),
    /SEARCH app_owner USING PRIMARY KEY \(api_app_id=\?\)/,
  );
  const firstOf = performance.now();
  t.equal(owners(connection, { owner: "billing", after: "app-99", limit: 500 }).length, 500);
  t.comment(`a page of 500: ${(performance.now() - firstOf).toFixed(3)} ms`);
  t.strictSame(ownersDamage(connection, 20), []);
});
