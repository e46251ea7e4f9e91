import { userInfo } from "node:os";
import t from "tap";
import { auditRecord } from "../../../src/audit/record.ts";
import { operatorName } from "../../../src/commands/owners/operator.ts";

const operator = auditRecord.shape.operator;

t.test("the user of the operating system", async (t) => {
  t.equal(operatorName(), userInfo().username);
});

t.test("whatever a name is, a record can hold it", async (t) => {
  for (const [username, name] of [
    ["alice", "alice"],
    ["EXAMPLE\\alice", "EXAMPLE-alice"],
    ["alice@example.org", "alice-example.org"],
    ["Zoë", "Zo-"],
    ["a\nb", "a-b"],
    ["x".repeat(300), "x".repeat(128)],
    ["", "unnamed"],
  ] as const) {
    t.equal(
      operatorName(() => ({ username })),
      name,
    );
    t.ok(operator.safeParse(name).success, name);
  }
});

t.test("a number without a name", async (t) => {
  const name = operatorName(() => {
    throw new Error("uv_os_get_passwd returned ENOENT");
  });
  t.equal(name, `uid-${process.getuid?.()}`);
});
