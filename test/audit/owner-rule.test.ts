import { DatabaseSync } from "node:sqlite";
import t from "tap";
import { ownerExpectedBy, ownerSaidBy } from "../../src/audit/owner-rule.ts";

const database = new DatabaseSync(":memory:");
t.teardown(() => database.close());

/** A row of `audit_record`, as far as it matters. */
interface Row {
  readonly kind: string;
  readonly outcome?: string;
  readonly operation?: string;
  readonly caller?: string;
  readonly api_app_id?: string;
  readonly owner?: string;
  readonly previous_owner?: string;
}

/** The owner that a row speaks of, and the one that it expects. */
function read(row: Row) {
  const empty = { outcome: null, operation: null, caller: null, api_app_id: null };
  const values = { ...empty, owner: null, previous_owner: null, ...row };
  const columns = Object.keys(values).map((name) => `? AS ${name}`);
  const sql = `SELECT ${ownerSaidBy("r")} AS said, ${ownerExpectedBy("r")} AS expected FROM (SELECT ${columns}) AS r`;
  return Object.values(database.prepare(sql).get(...Object.values(values)) ?? {});
}

const created: Row = {
  kind: "outcome",
  outcome: "done",
  operation: "create_api_app",
  caller: "billing",
  api_app_id: "7",
};

t.test("a create that was done speaks of its owner, and of its caller when it names none", async (t) => {
  t.strictSame(read({ ...created, owner: "crm" }), ["crm", ""]);
  t.strictSame(read(created), ["billing", ""]);
  t.strictSame(read({ ...created, operation: "create_other", owner: "crm" }), ["crm", ""]);
});

t.test("what was not done, or is no create, speaks of none", async (t) => {
  for (const change of [
    { outcome: "unknown" },
    { outcome: "refused" },
    { kind: "attempt" },
    { kind: "closed" },
    { kind: "refused" },
    { operation: "update_api_app" },
  ])
    t.strictSame(read({ ...created, ...change }), [null, ""], JSON.stringify(change));
  const { api_app_id: _, ...nameless } = created;
  t.strictSame(read(nameless), [null, ""]);
  t.strictSame(read({ ...nameless, owner: "crm" }), [null, ""]);
});

t.test("an operator says who owns an app, and who must have until then", async (t) => {
  const change = { kind: "owner", api_app_id: "7", owner: "crm", previous_owner: "billing" };
  t.strictSame(read(change), ["crm", "billing"]);
  t.strictSame(read({ ...change, owner: "" }), ["", "billing"]);
  t.strictSame(read({ ...change, previous_owner: "" }), ["crm", ""]);
  t.strictSame(read({ kind: "owner", api_app_id: "7", owner: "crm" }), ["crm", ""]);
  t.strictSame(read({ kind: "owner", api_app_id: "7", caller: "mallory" }), [null, ""]);
});
