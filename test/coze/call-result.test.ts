import fc from "fast-check";
import t from "tap";
import { type AttemptRecord, conclude, recordOf } from "../../src/coze/call-result.ts";
import type { AttemptResult } from "../../src/coze/classify.ts";
import { deleteApiApp } from "../../src/operations/delete-api-app.ts";
import { listApiApps } from "../../src/operations/list-api-apps.ts";

const classes = ["ok", "not_sent", "throttled", "fault", "lost", "token_rejected", "refused"] as const;

function ended(as: AttemptResult["class"]): AttemptResult {
  return {
    class: as,
    error: as === "ok" ? undefined : "coze_error",
    status: 200,
    code: 0,
    msg: "",
    logid: "logid",
    retryAfterMs: undefined,
    body: undefined,
    failure: undefined,
    mayHaveActed: as === "fault" || as === "lost",
    evidence: "evidence",
  };
}

const records = (all: readonly AttemptResult["class"][]): AttemptRecord[] =>
  all.map((as, index) => recordOf(ended(as), index + 1, 0.4, 1.6));

t.test("a record keeps what was seen, in whole ms", async (t) => {
  t.same(recordOf(ended("fault"), 2, 0.4, 1.6), {
    attempt: 2,
    class: "fault",
    evidence: "evidence",
    status: 200,
    code: 0,
    logid: "logid",
    wait_ms: 0,
    ms: 2,
  });
});

t.test("an outcome is never more certain than what was seen", async () => {
  const sequences = fc.array(fc.constantFrom(...classes), { minLength: 1, maxLength: 4 });
  fc.assert(
    fc.property(sequences, (sequence) => {
      const last = ended(sequence.at(-1) ?? "ok");
      const mayHaveActed = sequence.some((as) => ended(as).mayHaveActed);
      const { outcome, error } = conclude(deleteApiApp, {
        attempts: records(sequence),
        last,
        mayHaveActed,
        stopped: "refused",
      });
      if (last.class === "ok") return outcome === undefined && error === undefined;
      if (mayHaveActed) return outcome === "unknown";
      return outcome === (sequence.every((as) => as === "not_sent") ? "not_sent" : "refused");
    }),
  );
});

t.test("a read has no outcome, and a call that was never let through was not sent", async (t) => {
  const lost = { attempts: records(["lost"]), last: ended("lost"), mayHaveActed: true } as const;
  t.equal(conclude(listApiApps, { ...lost, stopped: "attempts_used_up" }).outcome, undefined);
  const halt = { stopped: "no_time_left", error: "coze_throttled", retryAfterMs: 7_000 } as const;
  const { stopped } = halt;
  t.match(conclude(deleteApiApp, { attempts: [], last: undefined, mayHaveActed: false, stopped, halt }), {
    outcome: "not_sent",
    error: "coze_throttled",
    retryAfterMs: 7_000,
  });
  t.match(conclude(deleteApiApp, { ...lost, stopped, halt }), { outcome: "unknown", error: "coze_error" });
});
