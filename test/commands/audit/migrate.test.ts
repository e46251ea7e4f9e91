import t from "tap";
import { auditMigrate } from "../../../src/commands/audit/migrate.ts";
import * as postgres from "../../helpers/postgres.ts";
import { problemsOf, terminal } from "../files.ts";

t.test("an SQLite store needs none", async (t) => {
  const screen = terminal({ AUDIT_STORE: "sqlite:none.db" });
  await auditMigrate([], screen);
  t.match(screen.printed(), /nothing to do/);
});

t.test("a server that is not there is named, without the password", async (t) => {
  const environment = { AUDIT_STORE: "postgres://owner:secret@127.0.0.1:1/audit" };
  const problems = await problemsOf(auditMigrate([], terminal(environment)));
  t.match(problems, [/^AUDIT_STORE postgres:\/\/owner:\[redacted\]@127\.0\.0\.1:1\/audit: /]);
  t.notMatch(problems.join(), "secret");
});

t.test("sets up an empty database, and then has nothing to do", { skip: postgres.skip }, async (t) => {
  const { url } = await postgres.startPostgres(t);
  const first = terminal({ AUDIT_STORE: url });
  await auditMigrate([], first);
  t.match(first.printed(), /: schema 0 -> [1-9]\n$/);
  const again = terminal({ AUDIT_STORE: url });
  await auditMigrate([], again);
  t.match(again.printed(), /: has schema [1-9] already\n$/);
});
