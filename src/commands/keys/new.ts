import { parseArgs } from "node:util";
import { stringify } from "yaml";
import * as z from "zod";
import { callerIdPattern, hashKey, keyCredentialId, mintKey } from "../../callers/key.ts";
import { type Terminal, UsageError } from "../command.ts";

/** The only forms that mean the same everywhere; `new Date` alone takes many more, some of them in local time. */
const date = z.union([z.iso.date(), z.iso.datetime({ offset: true })]);

/** `keys new --caller ID [--expires DATE]`: prints a new key once, and the lines for the callers file. */
export async function keysNew(args: readonly string[], { out }: Terminal): Promise<undefined> {
  const { values } = parseArgs({
    args: [...args],
    options: { caller: { type: "string" }, expires: { type: "string" } },
  });
  const { caller, expires } = values;
  if (caller === undefined || !callerIdPattern.test(caller)) {
    throw new UsageError("--caller must name the caller: 1 to 63 of a-z, 0-9 and -, with no - at either end");
  }
  const expiry = expires === undefined ? undefined : new Date(expires);
  if (expiry && !(date.safeParse(expires).success && expiry.getTime() > Date.now())) {
    throw new UsageError(
      "--expires must be a date in the future, such as 2027-01-01 or 2027-01-01T12:00:00Z",
    );
  }
  const key = mintKey(caller);
  const entry = { sha256: hashKey(key), ...(expiry && { expires_at: expiry.toISOString() }) };
  out(
    `${key}\n\nGive this key to the caller now: it is not kept and cannot be shown again.\n` +
      `Log and audit trail call it credential_id ${keyCredentialId(entry.sha256)}.\n` +
      "A caller may have two live keys: to rotate, put the new one beside the old, wait until keys list shows the\n" +
      "old one unused, and take it out with keys revoke.\n" +
      "Put this into CALLERS_FILE (under an existing id: the new line under its keys):\n\n" +
      stringify({
        callers: [
          { id: caller, keys: [entry], grants: [{ permissions: ["listApiApp"], api_app_ids: "all" }] },
        ],
      }),
  );
}
