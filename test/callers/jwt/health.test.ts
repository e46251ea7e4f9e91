import t from "tap";
import { Health } from "../../../src/callers/jwt/health.ts";

t.test("each trouble is told once, and its end", async (t) => {
  const told: unknown[] = [];
  const health = new Health("cluster", {
    onFetch: (...all) => told.push(["fetch", ...all]),
    onFailure: (...all) => told.push(["failure", ...all]),
    onRecovered: (...all) => told.push(["recovered", ...all]),
  });
  health.worked("endpoint");
  t.equal(health.problemOf("endpoint"), undefined);
  for (const problem of ["HTTP 500", "HTTP 500", "timeout"]) {
    health.failed("endpoint", problem);
    t.equal(health.problemOf("endpoint"), problem);
    t.ok(health.isTroubled);
  }
  health.worked("endpoint");
  health.worked("endpoint");
  t.notOk(health.isTroubled);
  t.strictSame(told, [
    ["fetch", "cluster", true],
    ["fetch", "cluster", false],
    ["failure", "cluster", "HTTP 500"],
    ["fetch", "cluster", false],
    ["fetch", "cluster", false],
    ["failure", "cluster", "timeout"],
    ["fetch", "cluster", true],
    ["recovered", "cluster"],
    ["fetch", "cluster", true],
  ]);
});

t.test(
  "all is well when the last part is, and an endpoint that lacks a file is no second trouble",
  async (t) => {
    const told: unknown[] = [];
    const health = new Health("cluster", {
      onFailure: (_, problem) => told.push(problem),
      onRecovered: () => told.push("recovered"),
    });
    health.failed("ca_file", "ca_file: ENOENT");
    health.failed("endpoint", "ca_file: ENOENT");
    health.failed("bearer_token_file", "bearer_token_file: ENOENT");
    for (const part of ["endpoint", "ca_file"] as const) {
      health.worked(part);
      t.equal(health.problemOf(part), undefined);
      t.ok(health.isTroubled);
    }
    health.worked("bearer_token_file");
    t.strictSame(told, ["ca_file: ENOENT", "bearer_token_file: ENOENT", "recovered"]);
  },
);

t.test("nobody has to listen", async (t) => {
  const health = new Health("cluster", {});
  health.failed("endpoint", "HTTP 500");
  health.worked("endpoint");
  t.notOk(health.isTroubled);
});
