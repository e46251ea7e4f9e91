import t from "tap";
import { keys } from "../../../src/commands/keys/keys.ts";
import { files, terminal } from "../files.ts";

t.test("the word says what is done", async (t) => {
  const { environment } = files(t);
  const made = terminal();
  await keys(["new", "--caller", "billing"], made);
  t.match(made.printed(), /^cgw_billing_/);
  const listed = terminal(environment);
  await keys(["list"], listed);
  t.match(listed.printed(), /^CALLER .*\ntester /);
  const revoked = terminal(environment);
  await keys(["revoke", "--caller", "tester"], revoked);
  t.match(revoked.printed(), /^Taken out of /);
});

t.test("another word is told what there is", async (t) => {
  for (const args of [[], ["old"], ["constructor"], ["--caller=a"]]) {
    await t.rejects(keys(args, terminal()), {
      name: "UsageError",
      message: "keys takes one of these words first: new, list, revoke",
    });
  }
});
