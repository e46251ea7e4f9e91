import { createHash } from "node:crypto";
import { join } from "node:path";
import t from "tap";
import { hashOf } from "../../../src/audit/chain.ts";
import { append } from "../../../src/audit/sqlite/append.ts";
import { SqliteConnection } from "../../../src/audit/sqlite/connection.ts";
import { damage } from "../../../src/audit/sqlite/damage.ts";
import { owners } from "../../../src/audit/sqlite/owners.ts";
import { ownersSchema } from "../../../src/audit/sqlite/owners-schema.ts";
import { migrations, prepareSchema } from "../../../src/audit/sqlite/schema.ts";
import { openSqliteStore } from "../../../src/audit/sqlite/store.ts";
import type { Row } from "../../../src/audit/store.ts";
import { verify } from "../../../src/audit/verify/verify.ts";
import { start, Trail } from "../rows.ts";
import type { Scope } from "../store-contract-place.ts";
import { makeOldStore } from "./old-store.ts";

const old = { owner: undefined };

/** Rows as the first version wrote them. */
function oldRows(): Row[] {
  const trail = new Trail("a.1");
  const opened = trail.next({ kind: "opened", version: "0.1.0" });
  const attempt = trail.attempt("r1", { credential_id: "aaaaaaaaaaaaaaaa" });
  return [
    opened,
    attempt,
    trail.outcome(attempt, { credential_id: "aaaaaaaaaaaaaaaa" }),
    trail.created("1", "billing", { ...old, credential_id: "bbbbbbbbbbbbbbbb" }),
    trail.created("2", "crm", old),
    trail.created("2", "mallory", old),
    trail.created("3", "crm", { ...old, outcome: "unknown" }),
    trail.created("4", "crm", { ...old, api_app_id: undefined }),
    trail.created("5", "crm", { ...old, caller: undefined }),
    trail.created("6", "crm", { ...old, operation: "update_api_app" }),
    trail.next({ kind: "stopped" }),
  ];
}

t.test("a store of the first version is brought to the second with all that it says", async (t) => {
  const path = join(t.testdir(), "audit.db");
  makeOldStore(path, oldRows());
  await t.rejects(openSqliteStore(path, {}), { permanent: true, message: /an older version/ });
  const store = await openSqliteStore(path, { stream: "b.1" });
  t.teardown(() => store.close());
  const report = await verify(store);
  t.strictSame(report.faults, []);
  t.equal(report.records, 11);
  t.strictSame(await store.owners({ limit: 9 }), [
    { api_app_id: "1", owner: "billing", since: start + 3000, stream: "a.1", seq: 4 },
    { api_app_id: "2", owner: "crm", since: start + 4000, stream: "a.1", seq: 5 },
  ]);
  const page = { order: "oldest_first", limit: 9 } as const;
  const seqs = async (credential_id: string) =>
    (await store.find({ credential_id }, page)).map(({ seq }) => seq);
  t.strictSame(await seqs("aaaaaaaaaaaaaaaa"), [2, 3]);
  t.strictSame(await seqs("bbbbbbbbbbbbbbbb"), [4]);
  const trail = new Trail("b.1");
  await store.append([trail.ownerChange("2", "crm", "shop"), trail.created("1", "mallory")], undefined);
  t.strictSame(
    await store.ownersOf(["1", "2"]),
    new Map([
      ["1", "billing"],
      ["2", "shop"],
    ]),
  );
  t.strictSame((await verify(store)).faults, []);
});

t.test("what somebody put in place of a record does not stop the update, and is still found", async (t) => {
  const path = join(t.testdir(), "audit.db");
  const rows = oldRows();
  const with_ = (at: number, text: string) => {
    rows[at] = { ...(rows[at] as Row), text, hash: hashOf(text) };
  };
  with_(1, "no JSON");
  with_(2, '{"credential_id":7}');
  with_(3, '{"credential_id":{"a":"\\u0000"}}');
  makeOldStore(path, rows);
  const store = await openSqliteStore(path, { stream: "b.1" });
  t.teardown(() => store.close());
  const { faults } = await verify(store);
  t.strictSame(
    faults.map(({ kind, first }) => `${kind} ${first.id}`),
    ["unreadable a.1:2", "mislabeled a.1:3"],
  );
  t.equal((await store.find({}, { order: "oldest_first", limit: 99 })).length, 11);
});

/** A store with an owner, and without: one that an operator moved and one that an operator took. */
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
    ],
    undefined,
  );
  return connection;
}

t.test("owners are changed by records only", async (t) => {
  const connection = filled(t);
  const before = connection.all("SELECT * FROM app_owner");
  const columns = "api_app_id, owner, since, stream, seq, position";
  for (const sql of [
    "UPDATE app_owner SET owner = 'mallory'",
    "UPDATE app_owner SET owner = 'billing' WHERE api_app_id = '3'",
    "UPDATE app_owner SET position = 99",
    "UPDATE app_owner SET since = 0 WHERE api_app_id = '1'",
    "UPDATE app_owner SET api_app_id = '9' WHERE api_app_id = '1'",
    "DELETE FROM app_owner",
    "DELETE FROM app_owner WHERE api_app_id = '1'",
    `INSERT INTO app_owner (${columns}) VALUES ('9', 'mallory', 0, 'a.1', 1, 1)`,
    `INSERT INTO app_owner (${columns}) VALUES ('9', 'mallory', 0, 'z.1', 1, 99)`,
    // An earlier owner, as an earlier record did say.
    `INSERT OR REPLACE INTO app_owner (${columns}) SELECT api_app_id, 'billing', time, stream, seq, position
     FROM audit_record WHERE seq = 2`,
    `UPDATE app_owner SET owner = 'billing', since = ${start + 1000}, seq = 2, position = 2 WHERE api_app_id = '2'`,
  ])
    t.throws(() => connection.exec(sql), { message: "owners are changed by records only" }, sql);
  t.strictSame(connection.all("SELECT * FROM app_owner"), before);
  t.strictSame(
    owners(connection, { limit: 9 }).map(({ api_app_id, owner }) => `${api_app_id} ${owner}`),
    ["1 billing", "2 crm"],
  );
  t.strictSame(damage(connection), []);
});

t.test("an owner comes with its record or not at all", async (t) => {
  const connection = filled(t);
  const trail = new Trail("b.1");
  const first = trail.created("9", "billing");
  const other = { ...first, hash: "f".repeat(64) };
  t.throws(() => append(connection, [first, trail.ownerChange("9", "billing", "crm"), other], undefined), {
    message: /another record is stored/,
  });
  t.equal(owners(connection, { after: "8", limit: 9 }).length, 0);
  append(connection, [first], undefined);
  t.match(owners(connection, { after: "8", limit: 9 }), [{ owner: "billing", stream: "b.1", seq: 1 }]);
});

t.test("what was released is never changed", async (t) => {
  t.equal(migrations[1], ownersSchema);
  const digests = migrations.map((sql) => createHash("sha256").update(sql).digest("hex"));
  t.strictSame(digests, [
    "83789e26218adc1669d860901a5e85d6e8ce59b8c7610a0e340fa89cbebeebad",
    "4c6abdd42926c05bba0d974c94906cfd841aa628f3799ba21be89c392ab0cc83",
  ]);
});
