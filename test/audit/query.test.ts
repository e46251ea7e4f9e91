import t from "tap";
import { conditionOf } from "../../src/audit/query.ts";

const hasLogid = (placeholder: string) => `has(${placeholder})`;
const newest = { order: "newest_first", limit: 10 } as const;

t.test("a list of everything asks nothing", async (t) => {
  t.strictSame(conditionOf({}, newest, hasLogid), { sql: "true", values: [] });
  t.strictSame(conditionOf({ caller: undefined, from: undefined }, newest, hasLogid), {
    sql: "true",
    values: [],
  });
});

t.test("everything that can be asked is asked, in the order of its values", async (t) => {
  const filter = {
    logid: "l",
    to: 2,
    from: 1,
    outcome: "done",
    api_app_id: "7",
    operation: "o",
    credential_id: "k",
    caller: "c",
    request_id: "r",
    kind: "outcome",
  } as const;
  t.strictSame(conditionOf(filter, { ...newest, before: 9 }, hasLogid), {
    sql:
      "kind = $1 AND request_id = $2 AND caller = $3 AND credential_id = $4 AND operation = $5 AND api_app_id = $6" +
      " AND outcome = $7 AND has($8) AND time >= $9 AND time < $10 AND position < $11",
    values: ["outcome", "r", "c", "k", "o", "7", "done", "l", 1, 2, 9],
  });
});

t.test("a page goes on where the one before it ended", async (t) => {
  t.strictSame(conditionOf({ from: 0 }, { ...newest, before: 0 }, hasLogid), {
    sql: "time >= $1 AND position < $2",
    values: [0, 0],
  });
  t.strictSame(conditionOf({}, { order: "oldest_first", after: 4, limit: 1 }, hasLogid), {
    sql: "position > $1",
    values: [4],
  });
  t.strictSame(conditionOf({}, { order: "oldest_first", limit: 1 }, hasLogid), { sql: "true", values: [] });
});

t.test("what a caller sends never becomes SQL", async (t) => {
  const evil = "' OR true; --";
  const { sql, values } = conditionOf({ caller: evil, logid: evil }, newest, hasLogid);
  t.equal(sql, "caller = $1 AND has($2)");
  t.strictSame(values, [evil, evil]);
});
