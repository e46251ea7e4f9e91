import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { ownStore } from "../../../src/audit/sqlite/owner.ts";
import { openSqliteStore } from "../../../src/audit/sqlite/store.ts";
import { linkOf, Trail } from "../rows.ts";

/** A process of its own for the tests of SQLite stores: `write <path>` appends for ever, `create
 * <path>` the same with creates of apps, `own <path> <ms>` only locks. */
const [, , task = "", path = "", milliseconds = ""] = process.argv;
const say = (line: string) => process.stdout.write(`${line}\n`);

/** Appends batch after batch, the same again when it failed, and says what came of it, until standard input ends. */
async function write(): Promise<void> {
  const store = await openSqliteStore(path, { stream: "child" });
  const trail = new Trail("child");
  let ended = false;
  let next = 1;
  createInterface(process.stdin).once("close", () => {
    ended = true;
  });
  while (!ended) {
    const after = trail.head;
    const rows =
      task === "write"
        ? trail.rows(5)
        : Array.from({ length: 5 }, () => trail.created(String(next++), "billing"));
    for (let stored = false; !stored && !ended; ) {
      try {
        await store.append(rows, after);
        stored = true;
        say(`stored ${linkOf(rows[4] ?? trail.next()).seq}`);
      } catch (error) {
        say(`failed ${error}`);
        await sleep(20);
      }
    }
  }
  await store.close();
  say("closed");
}

if (task !== "own") await write();
else {
  ownStore(path);
  say("owned");
  setTimeout(() => process.exit(), Number(milliseconds));
}
