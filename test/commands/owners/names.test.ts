import t from "tap";
import { appIn, callerIn } from "../../../src/commands/owners/names.ts";

t.test("what is an id is taken as it is", async (t) => {
  for (const id of ["billing", "a", "7", "a-1", "x".repeat(63)]) t.equal(callerIn("--owner", id), id);
  for (const id of ["7597201643493356084", "cli_a-B", "x".repeat(64)]) t.equal(appIn(id), id);
});

t.test("anything else is told what is right, with the flag", async (t) => {
  for (const id of [undefined, "", "Billing", "-a", "a-", "a b", "a\n", "x".repeat(64)])
    t.throws(() => callerIn("--from", id), { name: "UsageError", message: /^--from must name a caller: / });
  for (const id of [undefined, "", "a b", "a.b", "a\n", "x".repeat(65), "../a"])
    t.throws(() => appIn(id), {
      name: "UsageError",
      message: /^--api-app-id must be the id of a callback app/,
    });
});
