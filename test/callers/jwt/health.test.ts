import t from "tap";
import { Health } from "../../../src/callers/jwt/health.ts";

t.test("each trouble is told once, and its end", async (t) => {
  const told: unknown[] = [];
  const health = new Health("cluster", {
    onFetch: (...all) => told.push(["fetch", ...all]),
    onFailure: (...all) => told.push(["failure", ...all]),
    onRecovered: (...all) => told.push(["recovered", ...all]),
  });
  health.worked();
  t.equal(health.problem, undefined);
  for (const problem of ["HTTP 500", "HTTP 500", "timeout"]) {
    health.failed(problem);
    t.equal(health.problem, problem);
  }
  health.worked();
  health.worked();
  t.equal(health.problem, undefined);
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

t.test("nobody has to listen", async (t) => {
  const health = new Health("cluster", {});
  health.failed("HTTP 500");
  health.worked();
  t.equal(health.problem, undefined);
});
