import { join } from "node:path";
import t from "tap";
import { SqliteConnection } from "../../../src/audit/sqlite/connection.ts";
import { ownStore } from "../../../src/audit/sqlite/owner.ts";
import { openSqliteStore } from "../../../src/audit/sqlite/store.ts";
import { recordIn } from "../../../src/audit/stored-record.ts";
import { verify } from "../../../src/audit/verify/verify.ts";
import { withStore } from "../../../src/commands/audit/store.ts";
import { changeOwner } from "../../../src/commands/owners/change.ts";
import { operatorName } from "../../../src/commands/owners/operator.ts";
import { Trail } from "../../audit/rows.ts";
import { eventually } from "../../config/eventually.ts";
import { skip, startPostgres } from "../../helpers/postgres.ts";
import { problemsOf, terminal } from "../files.ts";

type Scope = Pick<typeof import("tap").t, "testdir">;

/** A store in which billing has created app 7. */
async function place(t: Scope) {
  const path = join(t.testdir({}), "audit.db");
  const store = await openSqliteStore(path, { stream: "a.1" });
  await store.append([new Trail("a.1").created("7", "billing")], undefined);
  await store.close();
  const screen = terminal({ AUDIT_STORE: `sqlite:${path}` });
  const owner = async () => (await withStore(screen, (store) => store.ownersOf(["7"]))).get("7");
  return { path, screen, owner };
}

t.test("a change is one record, printed, in a stream of its own", async (t) => {
  const { screen, owner } = await place(t);
  await changeOwner({ app: "7", from: "billing", to: "crm" }, screen);
  t.equal(await owner(), "crm");
  const rows = await withStore(screen, (store) => store.find({}, { order: "oldest_first", limit: 9 }));
  t.strictSame(
    rows.map(({ kind }) => kind),
    ["outcome", "opened", "owner", "stopped"],
  );
  t.match(rows[2] && recordIn(rows[2]), {
    kind: "owner",
    api_app_id: "7",
    owner: "crm",
    previous_owner: "billing",
    operator: operatorName(),
  });
  async function* lines() {
    yield* screen.printed().split("\n");
  }
  const report = await withStore(screen, (store) => verify(store, { anchors: lines() }));
  t.strictSame(report.faults, []);
  t.equal(report.anchors, 3);
});

t.test("who is not the owner is told who is, and nothing is written", async (t) => {
  const { screen, owner } = await place(t);
  for (const [change, message] of [
    [{ app: "7", from: "crm", to: "shop" }, "billing owns 7, not crm"],
    [{ app: "7", from: "crm", to: "" }, "billing owns 7, not crm"],
    [{ app: "7", from: "", to: "shop" }, "billing owns 7; to give it to shop, use owners move"],
    [{ app: "8", from: "crm", to: "shop" }, "Nobody owns 8; to give it to somebody, use owners adopt"],
    [{ app: "8", from: "crm", to: "" }, "Nobody owns 8; to give it to somebody, use owners adopt"],
  ] as const)
    await t.rejects(changeOwner(change, screen), { name: "CommandFailure", message });
  t.equal(await owner(), "billing");
  t.equal(screen.printed(), "");
  const rows = await withStore(screen, (store) => store.chain(undefined, 9));
  t.equal(rows.length, 1);
});

/** Changes the owner behind the back of a command that waits for the store, after its first look. */
async function interfere(t: Scope, change: Parameters<typeof changeOwner>[0], to: string) {
  const { path, screen, owner } = await place(t);
  // As a gateway would, so that opening the store waits for nobody.
  const gateway = ownStore(path);
  const other = new SqliteConnection(path);
  other.exec("BEGIN IMMEDIATE");
  const changing = changeOwner(change, screen).catch((error: Error) => error);
  await eventually("a command that waits", () => /database is locked/.test(screen.printed()));
  const row = new Trail("b.1").ownerChange("7", "billing", to);
  // As `append` does, which begins a transaction of its own.
  const columns = Object.keys(row).filter((name) => name !== "logids");
  const values = Object.values(row).filter((value) => !Array.isArray(value));
  other
    .statement(`INSERT INTO audit_record (${columns}) VALUES (${columns.map(() => "?")})`)
    .run(...(values as string[]));
  other.exec("COMMIT");
  other.close();
  const error = await changing;
  gateway.close();
  const report = await withStore(screen, (store) => verify(store));
  return { error, owner: await owner(), faults: report.faults };
}

t.test("of two who change an owner at once the second is told, and takes nothing away", async (t) => {
  const moved = await interfere(t, { app: "7", from: "billing", to: "crm" }, "shop");
  t.match(moved, {
    error: {
      name: "CommandFailure",
      message:
        "Somebody else changed the owner of 7 at the same time, or right after: now shop owns it. See audit find --api-app-id 7",
    },
    owner: "shop",
    faults: [],
  });
  const taken = await interfere(t, { app: "7", from: "billing", to: "crm" }, "");
  t.match(taken.error, { message: /or right after: now nobody owns it/ });
  t.equal(taken.owner, undefined);
  const same = await interfere(t, { app: "7", from: "billing", to: "crm" }, "crm");
  t.strictSame(same, { error: undefined, owner: "crm", faults: [] }, "who wanted the same has it");
});

t.test("many operators at once: one has it", async (t) => {
  const { screen, owner } = await place(t);
  const callers = ["crm", "shop", "mail"];
  const results = await Promise.allSettled(
    callers.map((to) => changeOwner({ app: "7", from: "billing", to }, screen)),
  );
  const winners = callers.filter((_, at) => results[at]?.status === "fulfilled");
  t.strictSame(winners, [await owner()]);
  t.strictSame((await withStore(screen, (store) => verify(store))).faults, []);
});

t.test("the same over PostgreSQL", { skip }, async (t) => {
  const { url, query } = await startPostgres(t);
  const screen = terminal({ AUDIT_STORE: url });
  t.match(await problemsOf(changeOwner({ app: "7", from: "", to: "crm" }, screen)), [/no audit trail/]);
  t.strictSame(await query("SELECT FROM pg_tables WHERE tablename ~ '^audit'"), [], "nothing was made");
  const { openPostgresStore } = await import("../../../src/audit/postgres/store.ts");
  const store = await openPostgresStore({ url }, { stream: "a.1" });
  t.teardown(() => store.close());
  await changeOwner({ app: "7", from: "", to: "billing" }, screen);
  const callers = ["crm", "shop", "mail"];
  const results = await Promise.allSettled(
    callers.map((to) => changeOwner({ app: "7", from: "billing", to }, screen)),
  );
  const winners = callers.filter((_, at) => results[at]?.status === "fulfilled");
  t.strictSame(winners, [(await store.ownersOf(["7"])).get("7")]);
  t.strictSame((await verify(store)).faults, []);
});

t.test("a store that is not there is not made", async (t) => {
  const screen = terminal({ AUDIT_STORE: `sqlite:${join(t.testdir({}), "audit.db")}` });
  t.match(await problemsOf(changeOwner({ app: "7", from: "", to: "crm" }, screen)), [/no such file/]);
  t.match(await problemsOf(changeOwner({ app: "7", from: "", to: "crm" }, screen)), [/no such file/]);
});
