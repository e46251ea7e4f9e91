import t from "tap";
import { Chain } from "../../src/audit/chain.ts";
import type { Draft } from "../../src/audit/record.ts";
import { labelsOf, StoreError } from "../../src/audit/store.ts";

/** The columns of the first record of a chain. */
const labels = (draft: Partial<Draft>) =>
  labelsOf(
    new Chain("a.1").seal({ kind: "alive", time: 1_800_000_000_123, uptime_ms: 1, ...draft }, 0).record,
  );

t.test("the columns are those that the text calls for", async (t) => {
  t.strictSame(
    labels({
      kind: "outcome",
      request_id: "r1",
      caller: "billing",
      credential_id: "0123456789abcdef",
      operation: "delete_api_app",
      permission: "apps.delete",
      api_app_id: "7300000000000000001",
      closes: { stream: "b.1", seq: 4 },
      outcome: "done",
      status: 200,
      owner: "billing",
      previous_owner: "crm",
    }),
    {
      stream: "a.1",
      seq: 1,
      segment: "2027-01",
      time: 1_800_000_000_123,
      kind: "outcome",
      request_id: "r1",
      caller: "billing",
      credential_id: "0123456789abcdef",
      operation: "delete_api_app",
      api_app_id: "7300000000000000001",
      outcome: "done",
      closes_stream: "b.1",
      closes_seq: 4,
      owner: "billing",
      previous_owner: "crm",
      logids: [],
    },
  );
});

t.test("what a record does not say is null", async (t) => {
  t.match(labels({}), {
    request_id: null,
    caller: null,
    credential_id: null,
    operation: null,
    api_app_id: null,
    outcome: null,
    closes_stream: null,
    closes_seq: null,
    owner: null,
    previous_owner: null,
    logids: [],
  });
});

t.test("logids are those of all attempts, without repeats, sorted", async (t) => {
  const attempt = (logid?: string) => ({ attempt: 1, class: "ok", ms: 1, ...(logid && { logid }) });
  const attempts = [attempt("b"), attempt(), attempt("a"), attempt("b"), attempt("B")];
  t.strictSame(labels({ attempts }).logids, ["B", "a", "b"]);
});

t.test("a StoreError says whether waiting helps, and what was behind it", async (t) => {
  const cause = new Error("cause");
  t.match(new StoreError("no"), { name: "StoreError", message: "no", permanent: false, cause: undefined });
  t.match(new StoreError("no", { permanent: true, cause }), { permanent: true, cause });
});
