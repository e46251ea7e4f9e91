import { inspect } from "node:util";
import t from "tap";
import { JwtRefused, JwtUnavailable, jwtRefusals } from "../../../src/callers/jwt/refused.ts";
import { GatewayError } from "../../../src/errors.ts";

t.test("a refusal tells its word and nothing else", async (t) => {
  for (const reason of jwtRefusals) {
    const refused = new JwtRefused(reason);
    t.match(refused, { name: "JwtRefused", reason, message: `the JWT is refused: ${reason}` });
    t.match(reason, /^[a-z_]+$/, "fit for a metric's label");
  }
  t.equal(new Set(jwtRefusals).size, jwtRefusals.length);
});

t.test("what cannot be checked is a 503 whose reason is for the log alone", async (t) => {
  const unavailable = new JwtUnavailable("cluster", "Error ECONNREFUSED");
  t.ok(unavailable instanceof GatewayError);
  t.match(unavailable, {
    name: "JwtUnavailable",
    error: "authentication_unavailable",
    issuer: "cluster",
    problem: "Error ECONNREFUSED",
  });
  t.notMatch(unavailable.message, /ECONNREFUSED|cluster/);
  t.equal(inspect(new JwtUnavailable("cluster", undefined).problem), "undefined");
});
