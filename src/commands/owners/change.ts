import { now } from "../../audit/trail.ts";
import { loadStoreConfig } from "../../config/config.ts";
import { withStore } from "../audit/store.ts";
import { withTrail } from "../audit/trail.ts";
import { CommandFailure, type Terminal } from "../command.ts";
import { operatorName } from "./operator.ts";

/** An owner to change; an empty one is nobody. */
export interface OwnerChange {
  readonly app: string;
  readonly from: string;
  readonly to: string;
}

/**
 * Changes the owner of an app by a record of the trail, also while gateways run. The first look only gives a good answer
 * early. What counts is that the store applies the record, in its transaction, only if `from` is the owner then; the
 * second look tells whether it did.
 * @throws {CommandFailure} when `from` is not the owner, or somebody else changes it at the same time.
 */
export async function changeOwner({ app, from, to }: OwnerChange, terminal: Terminal): Promise<void> {
  const before = await withStore(terminal, (store) => store.ownersOf([app]));
  const owner = before.get(app) ?? "";
  if (owner !== from) throw new CommandFailure(refusal({ app, from, to }, owner));
  const config = loadStoreConfig(terminal.environment);
  const after = await withTrail(
    config,
    { name: "owners", beside: true },
    terminal,
    async (store, journal) => {
      const change = { api_app_id: app, owner: to, previous_owner: from, operator: operatorName() };
      await journal.add({ ...now(), kind: "owner", ...change }).stored;
      return store.ownersOf([app]);
    },
  );
  const result = after.get(app) ?? "";
  if (result === to) return;
  throw new CommandFailure(
    `Somebody else changed the owner of ${app} at the same time, or right after: now ${result || "nobody"} owns it. ` +
      `See audit find --api-app-id ${app}`,
  );
}

function refusal({ app, from, to }: OwnerChange, owner: string): string {
  if (owner === "") return `Nobody owns ${app}; to give it to somebody, use owners adopt`;
  if (from === "") return `${owner} owns ${app}; to give it to ${to}, use owners move`;
  return `${owner} owns ${app}, not ${from}`;
}
