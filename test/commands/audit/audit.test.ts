import { join } from "node:path";
import t from "tap";
import { audit } from "../../../src/commands/audit/audit.ts";
import { UsageError } from "../../../src/commands/command.ts";
import { healthyStore } from "../../audit/healthy.ts";
import { terminal } from "../files.ts";

t.test("each word does what it says", async (t) => {
  const { path } = await healthyStore(join(t.testdir({}), "audit.db"));
  for (const [word, printed] of Object.entries({
    verify: /The trail is whole\.\n$/,
    find: /^\{"id":"d\.4:18",/,
    export: /^\{"id":"a\.1:14",/,
  })) {
    const { printed: all, ...rest } = terminal({ AUDIT_STORE: `sqlite:${path}` });
    t.equal(await audit([word], rest), undefined);
    t.match(all(), printed);
  }
});

t.test("another word, or none, is told which there are", async (t) => {
  for (const args of [[], ["verfiy"], ["--anchors", "x"]]) {
    await t.rejects(
      audit(args, terminal()),
      new UsageError("audit takes one of these words first: verify, find, export"),
    );
  }
});
