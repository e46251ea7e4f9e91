import t from "tap";
import { openSqliteStore } from "../../../src/audit/sqlite/store.ts";
import { eventOf } from "../../../src/http/audit/event.ts";
import type { AuditReader } from "../../../src/http/audit/reader.ts";
import { Trail } from "../../audit/rows.ts";
import { type Item, openStore, tamper } from "./app.ts";

async function get(store: AuditReader, id: string): Promise<Item | undefined> {
  const text = await eventOf(store, id);
  return text === undefined ? undefined : JSON.parse(text);
}

t.test("from an attempt to its outcome and back", async (t) => {
  const { store } = await openStore(t, (trail) => {
    const first = trail.attempt("r1");
    const second = trail.attempt("r2");
    return [first, second, trail.outcome(second), trail.outcome(first), trail.next()];
  });
  t.match(await get(store, "a.1:1"), {
    id: "a.1:1",
    intact: true,
    record: { kind: "attempt", request_id: "r1" },
    related: ["a.1:4"],
  });
  t.strictSame((await get(store, "a.1:4"))?.related, ["a.1:1"]);
  t.strictSame((await get(store, "a.1:2"))?.related, ["a.1:3"]);
  t.strictSame((await get(store, "a.1:5"))?.related, [], "a record that is about no request");
});

t.test("related records are found in other streams, and no more than twenty", async (t) => {
  const { store, file } = await openStore(t, (trail) => trail.rows(15, { request_id: "same" }));
  await store.close();
  const other = await openSqliteStore(file, { stream: "b.1" });
  t.teardown(() => other.close());
  await other.append(new Trail("b.1").rows(15, { request_id: "same" }), undefined);
  const first = await get(other, "a.1:2");
  t.equal(first?.related.length, 20);
  t.notOk(first?.related.includes("a.1:2"));
  t.ok(first?.related.includes("a.1:15") && first.related.includes("b.1:1"));
  const last = await get(other, "b.1:15");
  t.equal(last?.related.length, 20);
  t.notOk(last?.related.includes("b.1:15"));
});

t.test("a record that is not there is not mistaken for the next one", async (t) => {
  const { store } = await openStore(t, (trail) => trail.rows(3));
  for (const id of ["a.1:4", "a.1:999999999999999", "a.0:1", "a:1", "a.1.0:1", "A.1:1", "b.1:1"]) {
    t.equal(await get(store, id), undefined, id);
  }
});

t.test("one that was deleted is gone, the one after it is not given for it", async (t) => {
  const { store, file } = await openStore(t, (trail) => trail.rows(3));
  tamper(file, "DELETE FROM audit_record WHERE seq = 2");
  t.equal(await get(store, "a.1:2"), undefined);
  t.equal((await get(store, "a.1:3"))?.id, "a.1:3");
});

t.test("an edited record says so, and hostile columns do not travel on", async (t) => {
  const { store, file } = await openStore(t, (trail) => trail.rows(3, { request_id: "r1" }));
  tamper(
    file,
    `UPDATE audit_record SET text = '{}' WHERE seq = 1;
     UPDATE audit_record SET stream = 'x"' || char(8232) || char(27) || '[31m' WHERE seq = 2`,
  );
  const event = await get(store, "a.1:1");
  t.strictSame([event?.intact, event?.record, event?.related], [false, {}, ["a.1:3"]]);
  t.match(await eventOf(store, "a.1:1"), /^[ -~]*$/);
});

t.test("what can be no id", async (t) => {
  const { store } = await openStore(t);
  for (const id of [
    "",
    ":",
    "1",
    "a.1",
    "a.1:",
    "a.1:0",
    "a.1:01",
    "a.1:-1",
    "a.1:1 ",
    "a.1:1\n",
    "a.1:1e3",
    "a.1:1000000000000000",
    "a b:1",
    "a.1:1:1",
    "__proto__",
    `${"x".repeat(101)}:1`,
    "\u202ea:1",
  ]) {
    const message = "is not the id of a record: <stream>:<seq>, as lists show it";
    const refused = await eventOf(store, id).catch((error) => error);
    t.match(
      refused,
      { error: "invalid_request", details: { issues: [{ path: "params.id", message }] } },
      encodeURI(id).slice(0, 30),
    );
  }
});
