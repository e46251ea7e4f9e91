import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import t from "tap";
import { recordIn } from "../../../src/audit/stored-record.ts";
import { now } from "../../../src/audit/trail.ts";
import { readAnchor } from "../../../src/audit/verify/anchor.ts";
import { withStore } from "../../../src/commands/audit/store.ts";
import { withTrail } from "../../../src/commands/audit/trail.ts";
import { loadStoreConfig } from "../../../src/config/config.ts";
import { problemsOf, terminal } from "../files.ts";

const oldest = { order: "oldest_first", limit: 99 } as const;

t.test("a command writes a stream of its own, begun and ended, and prints it", async (t) => {
  const environment = { AUDIT_STORE: `sqlite:${join(t.testdir({}), "audit.db")}` };
  const screen = terminal(environment);
  const result = await withTrail(
    loadStoreConfig(environment),
    { name: "test" },
    screen,
    async (store, journal) => {
      await journal.add({ ...now(), kind: "alive" }).stored;
      return (await store.find({}, oldest)).length;
    },
  );
  t.equal(result, 2);
  const rows = await withStore(screen, (store) => store.find({}, oldest));
  t.strictSame(
    rows.map(({ kind }) => kind),
    ["opened", "alive", "stopped"],
  );
  t.match(rows[0]?.stream, /^test\..+\.[0-9a-f]{16}$/);
  t.match(recordIn(rows[0] as (typeof rows)[0])?.version, /^\d+\.\d+\.\d+/);
  const anchors = screen.printed().split("\n").map(readAnchor);
  t.strictSame(
    anchors.flatMap((anchor) => (typeof anchor === "object" ? [anchor.hash] : [])),
    rows.map(({ hash }) => hash),
  );
});

t.test("a failure of the work ends the stream all the same", async (t) => {
  const environment = { AUDIT_STORE: `sqlite:${join(t.testdir({}), "audit.db")}` };
  const failing = withTrail(loadStoreConfig(environment), { name: "test" }, terminal(), async () => {
    throw new TypeError("a bug");
  });
  await t.rejects(failing, { name: "TypeError", message: "a bug" });
  const rows = await withStore({ environment }, (store) => store.find({}, oldest));
  t.equal(rows.at(-1)?.kind, "stopped");
});

t.test("beside others it needs a store that is there", async (t) => {
  const environment = { AUDIT_STORE: `sqlite:${join(t.testdir({}), "audit.db")}` };
  const problems = await problemsOf(
    withTrail(loadStoreConfig(environment), { name: "test", beside: true }, terminal(), async () => t.fail()),
  );
  t.match(problems, [/^AUDIT_STORE sqlite:.*no such file/]);
});

t.test("what cannot work until somebody changes something is told at once, and does not hang", async (t) => {
  const path = join(t.testdir({}), "audit.db");
  const environment = { AUDIT_STORE: `sqlite:${path}` };
  const failing = withTrail(
    loadStoreConfig(environment),
    { name: "test" },
    terminal(),
    async (_, journal) => {
      const database = new DatabaseSync(path);
      // As of another program: records of this process are gone.
      database.exec(`DROP TRIGGER audit_record_prune; DELETE FROM audit_record`);
      database.close();
      await journal.add({ ...now(), kind: "alive" }).stored;
    },
  );
  t.match(await problemsOf(failing), [/^AUDIT_STORE sqlite:.*the store has lost records of this process/]);
});
