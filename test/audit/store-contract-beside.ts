import { linkOf, Trail } from "./rows.ts";
import { type Check, ids, oldest, write } from "./store-contract-place.ts";

/** The part of the contract that says: a command can write while somebody else does. */
export function besideContract(check: Check): void {
  check("a command does not set up a store", async (t, open) => {
    const absent = { name: "StoreError", permanent: true, absent: true };
    await t.rejects(open({ stream: "command.1", beside: true }), absent);
    await t.rejects(open({}), absent, "and trying has made nothing");
  });

  check("a command writes beside the one who writes, and neither disturbs the other", async (t, open) => {
    const trail = new Trail("a.1");
    const first = trail.attempt("r1");
    const store = await open({ stream: "a.1" });
    await store.append([first], undefined);
    let after = linkOf(first);
    for (let command = 1; command <= 3; command++) {
      const beside = await open({ stream: `command.${command}`, beside: true });
      const own = new Trail(`command.${command}`);
      t.equal(beside.repairedBytes, 0);
      t.equal(await beside.claim("a.1"), false, "who lives has a say in its own attempts");
      await beside.append([own.ownerChange(`${command}`, "", "billing")], undefined);
      t.equal((await store.ownersOf([`${command}`])).get(`${command}`), "billing");
      const next = trail.next();
      await store.append([next], after);
      after = linkOf(next);
      t.equal((await beside.find({}, oldest)).length, 3 * command);
      await beside.close();
      const more = trail.next();
      await store.append([more], after);
      after = linkOf(more);
      t.equal((await store.find({}, oldest)).length, 3 * command + 1);
    }
    t.strictSame(ids(await store.find({}, oldest)).slice(0, 4), ["a.1:1", "command.1:1", "a.1:2", "a.1:3"]);
    t.strictSame(await store.damage(), []);
  });

  check("a command that is alone closes what the dead left, as everybody does", async (t, open) => {
    await write(open, [new Trail("dead.1").attempt("r1")]);
    const store = await open({ stream: "command.1", beside: true });
    t.equal(await store.claim("dead.1"), true);
    await store.release("dead.1");
    await store.append(new Trail("command.1").rows(1), undefined);
    t.equal((await store.find({}, oldest)).length, 2);
  });
}
