import t from "tap";
import { AuditFailure } from "../../../src/commands/audit/failure.ts";

t.test("it is known by its name", async (t) => {
  t.match(new AuditFailure("not whole"), { name: "AuditFailure", message: "not whole" });
});
