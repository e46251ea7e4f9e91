import fc from "fast-check";
import t from "tap";
import { GatewayError } from "../../../src/errors.ts";
import { type AuditQuery, filterOf, refusePaging } from "../../../src/http/audit/query.ts";

function issuesOf(check: () => unknown) {
  try {
    check();
    return [];
  } catch (error) {
    if (!(error instanceof GatewayError) || error.error !== "invalid_request") throw error;
    return error.details.issues;
  }
}

t.test("times in every form that the schema takes", async (t) => {
  const noon = Date.UTC(2027, 2, 10, 12);
  for (const from of [
    "2027-03-10T12:00:00Z",
    "2027-03-10T12:00:00.000Z",
    "2027-03-10T12:00:00.000000000Z",
    "2027-03-10T20:00:00+08:00",
    "2027-03-10T07:30:00-04:30",
    "2027-03-11T11:59:00+23:59",
  ]) {
    t.equal(filterOf({ from }).from, noon, from);
    t.equal(filterOf({ to: from }).to, noon, from);
  }
  t.equal(filterOf({ from: "2027-03-10" }).from, Date.UTC(2027, 2, 10));
  t.equal(filterOf({ from: "2028-02-29" }).from, Date.UTC(2028, 1, 29));
});

t.test("a filter has what was asked for and nothing else", async (t) => {
  const words = {
    kind: "attempt",
    request_id: "r",
    caller: "c",
    credential_id: "k",
    operation: "o",
    api_app_id: "a",
    outcome: "done",
    logid: "l",
  } as const;
  const filter = filterOf({ ...words, page_size: 3, page_token: "x", order: "oldest_first" });
  t.strictSame(JSON.parse(JSON.stringify(filter)), words);
  t.strictSame(JSON.stringify(filterOf({})), "{}");
});

t.test("times that no calendar has", async (t) => {
  for (const text of [
    "2027-02-29",
    "2027-13-01",
    "2027-00-10",
    "2027-04-31T00:00:00Z",
    "2027-03-10T24:00:00Z",
    "2027-03-10T12:60:00Z",
    "2027-03-10T12:00:60Z",
    "2027-03-10T12:00:00+24:00",
    "2027-03-10T12:00:00+08:60",
  ]) {
    for (const name of ["from", "to"] as const) {
      const expected = [{ path: `query.${name}`, message: "is not a time that the calendar has" }];
      t.strictSame(
        issuesOf(() => filterOf({ [name]: text })),
        expected,
        text,
      );
    }
  }
});

t.test("every time that is taken is a number", async () => {
  const digits = (most: number) => fc.nat({ max: most }).map((number) => String(number).padStart(2, "0"));
  const text = fc
    .tuple(
      fc.nat({ max: 9999 }),
      digits(14),
      digits(33),
      digits(26),
      digits(61),
      fc.constantFrom("Z", "+13:00", "-09:30"),
    )
    .map(([year, month, day, hour, minute, zone]) => {
      return `${String(year).padStart(4, "0")}-${month}-${day}T${hour}:${minute}:00${zone}`;
    });
  fc.assert(
    fc.property(text, (from) => {
      const taken = issuesOf(() => filterOf({ from }))?.length === 0;
      return !taken || Number.isSafeInteger(filterOf({ from }).from);
    }),
    { numRuns: 2000 },
  );
});

t.test("a time in which nothing can lie is a mistake, not an empty answer", async (t) => {
  const from = "2027-03-10T12:00:00Z";
  const message = "must be later than `from`; `to` itself is not included";
  for (const to of [from, "2027-03-10T11:59:59.999Z", "2027-03-10T19:59:59+08:00", "2027-03-10"]) {
    t.strictSame(
      issuesOf(() => filterOf({ from, to })),
      [{ path: "query.to", message }],
      to,
    );
  }
  t.strictSame(
    issuesOf(() => filterOf({ from, to: "2027-03-10T12:00:00.001Z" })),
    [],
  );
});

t.test("an export takes no parameter of pages, and says all that are there", async (t) => {
  const paths = (query: AuditQuery) => issuesOf(() => refusePaging(query))?.map(({ path }) => path);
  t.strictSame(paths({ page_size: 1 }), ["query.page_size"]);
  t.strictSame(paths({ page_token: "" }), ["query.page_token"]);
  t.strictSame(paths({ order: "newest_first" }), ["query.order"]);
  t.strictSame(paths({ page_size: 1, page_token: "x", order: "newest_first" }), [
    "query.page_size",
    "query.page_token",
    "query.order",
  ]);
  t.strictSame(paths({ order: "oldest_first", caller: "billing" }), []);
});
