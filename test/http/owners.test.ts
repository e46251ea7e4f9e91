import t from "tap";
import { ownerLookup } from "../../src/http/owners.ts";

const known = new Map([["7", "me"]]);

/** A look-up in a store that does what it is told, and what it reported. */
function lookup(ownersOf: () => Promise<ReadonlyMap<string, string>>, timeoutMs = 60_000) {
  const failures: string[] = [];
  const owners = ownerLookup({
    store: async () => ({ ownersOf }),
    timeoutMs,
    onFailure: ({ message }) => void failures.push(message),
  });
  return { owners, failures };
}

t.test("asks the store each time, as owners can change", async (t) => {
  let asked = 0;
  const { owners } = lookup(async () => {
    asked += 1;
    return known;
  });
  t.equal(await owners(["7"]), known);
  t.equal(await owners(["7"]), known);
  t.equal(asked, 2);
  t.same(await owners([]), new Map());
  t.equal(asked, 2, "no question, no look-up");
});

t.test("a store that fails or hangs is 503 and reported, never a wrong answer", async (t) => {
  const broken = lookup(() => Promise.reject(new Error("disk on fire")));
  await t.rejects(broken.owners(["7"]), {
    name: "GatewayError",
    error: "audit_unavailable",
    message: "Who owns the callback app cannot be read now, so nothing was done; repeat later.",
  });
  t.same(broken.failures, ["disk on fire"]);
  const hanging = lookup(() => new Promise(() => undefined), 10);
  await t.rejects(hanging.owners(["7"]), { name: "GatewayError", error: "audit_unavailable" });
  t.same(hanging.failures, ["the owners of apps were not read within 10 ms"]);
});
