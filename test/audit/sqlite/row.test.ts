import t from "tap";
import { packedColumns, recordColumns, unpack } from "../../../src/audit/sqlite/row.ts";
import type { Row } from "../../../src/audit/store.ts";
import { Trail } from "../rows.ts";

t.test("what is written are all columns of a row but its logids", async (t) => {
  const trail = new Trail("a.1");
  const { logids, ...columns } = trail.outcome(trail.attempt("r1"));
  t.strictSame([...recordColumns].sort(), Object.keys(columns).sort());
  t.strictSame(logids, ["log1"]);
});

t.test("a packed row is unpacked to what it was, every value in its place", async (t) => {
  const trail = new Trail("a.1");
  for (const row of [trail.outcome(trail.attempt("r1")), trail.next()] satisfies Row[]) {
    const values = recordColumns.map((column) => row[column]);
    const packed = [7, ...values, JSON.stringify(row.logids)] as unknown as Parameters<typeof unpack>[0];
    t.strictSame(unpack(packed), { position: 7, ...row });
  }
  t.match(packedColumns, new RegExp(`^position, ${recordColumns.join(", ")},\\s+\\(SELECT json_group_array`));
});
