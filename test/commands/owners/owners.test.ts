import { join } from "node:path";
import t from "tap";
import { openSqliteStore } from "../../../src/audit/sqlite/store.ts";
import { owners } from "../../../src/commands/owners/owners.ts";
import { Trail } from "../../audit/rows.ts";
import { terminal } from "../files.ts";

/** A store with one record, and what the command prints last. */
async function place(t: Pick<typeof import("tap").t, "testdir">) {
  const path = join(t.testdir({}), "audit.db");
  const store = await openSqliteStore(path, { stream: "a.1" });
  await store.append(new Trail("a.1").rows(1), undefined);
  await store.close();
  return async (...args: readonly string[]) => {
    const screen = terminal({ AUDIT_STORE: `sqlite:${path}` });
    await owners(args, screen);
    return screen.printed().trimEnd().split("\n").at(-1);
  };
}

t.test("an app is adopted, moved and taken away", async (t) => {
  const run = await place(t);
  const app = ["--api-app-id", "7"];
  t.equal(await run("adopt", ...app, "--owner", "billing"), "billing owns 7 now; nobody did before.");
  await t.rejects(run("adopt", ...app, "--owner", "crm"), { message: /^billing owns 7; .* owners move$/ });
  t.equal(
    await run("move", ...app, "--from", "billing", "--to", "crm"),
    "crm owns 7 now; billing did before.",
  );
  t.match(await run("list"), /^7 {2}crm {2}since /);
  await t.rejects(run("move", ...app, "--from", "billing", "--to", "crm"), {
    message: "crm owns 7, not billing",
  });
  await t.rejects(run("remove", ...app, "--from", "billing"), { message: "crm owns 7, not billing" });
  t.equal(await run("remove", ...app, "--from", "crm"), "Nobody owns 7 now; crm did before.");
  t.equal(await run("list"), "Nobody owns a callback app.");
});

t.test("wrong words are told what is right", async (t) => {
  const run = (...args: readonly string[]) =>
    owners(args, terminal({ AUDIT_STORE: "sqlite:/nowhere/audit.db" }));
  const usage = (message: RegExp) => ({ name: "UsageError", message });
  for (const args of [[], ["help"], ["List"], ["--owner", "x"]])
    await t.rejects(
      run(...args),
      usage(/^owners takes one of these words first: list, adopt, move, remove$/),
    );
  const app = ["--api-app-id", "7"];
  await t.rejects(run("adopt"), usage(/^--api-app-id must be/));
  await t.rejects(run("adopt", ...app), usage(/^--owner must/));
  await t.rejects(run("adopt", ...app, "--owner", ""), usage(/^--owner must/));
  await t.rejects(run("move", "--from", "a", "--to", "b"), usage(/^--api-app-id must be/));
  await t.rejects(run("move", ...app, "--to", "b"), usage(/^--from must/));
  await t.rejects(run("move", ...app, "--from", "a"), usage(/^--to must/));
  await t.rejects(run("move", ...app, "--from", "a", "--to", "a"), usage(/another caller than --from$/));
  await t.rejects(run("remove", ...app), usage(/^--from must/));
  await t.rejects(run("remove", "--from", "a"), usage(/^--api-app-id must be/));
  await t.rejects(run("remove", ...app, "--owner", "a"), { code: "ERR_PARSE_ARGS_UNKNOWN_OPTION" });
});
