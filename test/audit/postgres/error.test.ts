import { DatabaseError } from "pg";
import t from "tap";
import { leavesUsable, sqlStateOf, storeErrorOf } from "../../../src/audit/postgres/error.ts";
import { StoreError } from "../../../src/audit/store.ts";

/** What the driver makes of an error that the server reports. */
function reported(code: string, message = "so it is"): DatabaseError {
  return Object.assign(new DatabaseError(message, message.length, "error"), { code });
}

const place = "db.example:5432/audit";

t.test("what somebody has to change is permanent, what may pass is not", async (t) => {
  const permanent = ["28P01", "28000", "3D000", "3F000", "42501", "42P01", "AU001", "AU002"];
  const passing = ["53100", "53300", "25006", "57014", "57P01", "57P02", "57P03", "55P03", "40001", "XX000"];
  for (const code of permanent) t.equal(storeErrorOf(reported(code), "append", place).permanent, true, code);
  for (const code of passing) t.equal(storeErrorOf(reported(code), "append", place).permanent, false, code);
  for (const code of ["ECONNREFUSED", "ENOTFOUND", "ETIMEDOUT", "28P01"]) {
    const error = Object.assign(new Error("no way"), { code });
    t.equal(storeErrorOf(error, "append", place).permanent, false, `${code}, not of the server`);
  }
});

t.test("the message says what was tried, where, and in whose words it failed", async (t) => {
  const error = reported("53100", "could not extend file: No space left on device");
  const { name, message, cause } = storeErrorOf(error, "append", place);
  t.equal(name, "StoreError");
  t.equal(message, `append at ${place}: could not extend file: No space left on device`);
  t.equal(cause, error);
  const refused = Object.assign(new AggregateError([]), { code: "ECONNREFUSED" });
  t.equal(storeErrorOf(refused, "find", place).message, `find at ${place}: ECONNREFUSED`);
  const lost = reported("AU001", "a.1:3 is not there as it was stored");
  t.match(
    storeErrorOf(lost, "append", place).message,
    /^the store has lost records of this process: .*a\.1:3 is not/,
  );
  t.match(
    storeErrorOf(reported("AU002"), "append", place).message,
    /^the store has other records in the place of/,
  );
});

t.test("an error of our own keeps what it says of itself", async (t) => {
  for (const permanent of [true, false]) {
    const error = storeErrorOf(new StoreError("it is closed", { permanent }), "append", place);
    t.equal(error.message, `append at ${place}: it is closed`);
    t.equal(error.permanent, permanent);
    t.equal(error.absent, false);
  }
});

t.test("that there is nothing yet is passed on", async (t) => {
  const nothing = new StoreError("there is nothing", { permanent: true, absent: true });
  t.match(storeErrorOf(nothing, "opening", place), { permanent: true, absent: true });
  t.match(storeErrorOf(reported("3D000"), "opening", place), { permanent: true, absent: false });
});

t.test("a connection is of use after an error of a statement only", async (t) => {
  for (const code of ["55P03", "57014", "42501", "53100", "AU001"]) t.ok(leavesUsable(reported(code)), code);
  for (const code of ["57P01", "57P02", "57P03", "08006", "25006"])
    t.notOk(leavesUsable(reported(code)), code);
  t.notOk(leavesUsable(new Error("Query read timeout")));
  t.equal(sqlStateOf(reported("55P03")), "55P03");
  t.equal(sqlStateOf(Object.assign(new Error("no"), { code: "55P03" })), undefined);
});
