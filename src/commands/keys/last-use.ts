import { ConfigError } from "../../config/config.ts";
import { withStore } from "../audit/store.ts";
import type { Terminal } from "../command.ts";

/** When credentials were used last, as far as the audit trail goes. */
export interface LastUse {
  /** Time of the newest record of each credential that has one, by its id. */
  readonly times: ReadonlyMap<string, string>;
  /** Why nothing is known; undefined when the trail was read. */
  readonly trouble: string | undefined;
}

/** Looks credentials up in the configured audit store. A store that cannot be read is told of, not thrown. */
export async function lastUseOf(
  credentialIds: readonly string[],
  terminal: Pick<Terminal, "environment">,
): Promise<LastUse> {
  const times = new Map<string, string>();
  try {
    await withStore(terminal, async (store) => {
      for (const credential_id of credentialIds) {
        const [newest] = await store.find({ credential_id }, { order: "newest_first", limit: 1 });
        if (newest) times.set(credential_id, timeOf(newest.time));
      }
    });
    return { times, trouble: undefined };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return { times: new Map(), trouble: error.problems.join("; ") };
  }
}

/** Whoever edited the store can have put a time there that no calendar has. */
function timeOf(ms: number): string {
  const time = new Date(ms);
  return Number.isNaN(time.getTime()) ? String(ms) : time.toISOString();
}
