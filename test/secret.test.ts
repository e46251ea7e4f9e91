import { format, inspect } from "node:util";
import t from "tap";
import { Secret } from "../src/secret.ts";

t.test("a secret shows itself only to who asks for it", async (t) => {
  const value = "sat_CANARY0123456789";
  const secret = new Secret(value);
  t.equal(secret.reveal(), value);
  const shown = {
    template: `${secret}`,
    concatenation: ["", secret].join(""),
    json: JSON.stringify({ secret }),
    inspect: inspect({ secret }, { depth: 9, showHidden: true }),
    plainInspect: inspect(secret, { customInspect: false, showHidden: true }),
    format: format("%s %o %j", secret, secret, secret),
    entries: JSON.stringify(Object.entries(secret)),
    clone: inspect(structuredClone(secret)),
    error: inspect(new Error("no", { cause: secret })),
  };
  for (const [way, text] of Object.entries(shown)) t.notMatch(text, value, way);
  t.equal(shown.template, "[redacted]");
  t.equal(shown.concatenation, "[redacted]");
  t.equal(shown.json, '{"secret":"[redacted]"}');
  t.match(shown.inspect, "{ secret: [redacted] }");
});
