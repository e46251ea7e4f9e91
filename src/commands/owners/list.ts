import { parseArgs } from "node:util";
import { asciiOf } from "../../audit/export.ts";
import { recordId } from "../../audit/record.ts";
import type { AppOwner, AuditStore } from "../../audit/store.ts";
import { withStore } from "../audit/store.ts";
import type { Terminal } from "../command.ts";
import { callerIn } from "./names.ts";

const pageSize = 500;

/** `owners list [--owner ID] [--json]`: every callback app that somebody owns, since when, and which record says so. */
export async function ownersList(args: readonly string[], terminal: Terminal): Promise<undefined> {
  const { values } = parseArgs({
    args: [...args],
    options: { owner: { type: "string" }, json: { type: "boolean", default: false } },
  });
  const owner = values.owner === undefined ? undefined : callerIn("--owner", values.owner);
  const lineOf = values.json ? jsonOf : textOf;
  let found = 0;
  await withStore(terminal, async (store) => {
    for await (const page of pagesOf(store, owner)) {
      found += page.length;
      // Whoever reads slowly must not make us hold what was not read yet.
      await terminal.out(page.map((app) => `${asciiOf(lineOf(app))}\n`).join(""));
    }
  });
  if (found === 0 && !values.json) terminal.out("Nobody owns a callback app.\n");
}

async function* pagesOf(store: AuditStore, owner: string | undefined): AsyncGenerator<AppOwner[]> {
  let after: string | undefined;
  for (;;) {
    const page = await store.owners({ owner, after, limit: pageSize });
    if (page.length > 0) yield page;
    if (page.length < pageSize) return;
    after = page.at(-1)?.api_app_id;
  }
}

function jsonOf(app: AppOwner): string {
  const { api_app_id, owner } = app;
  return JSON.stringify({ api_app_id, owner, since: timeOf(app), record: recordId(app) });
}

function textOf(app: AppOwner): string {
  return `${app.api_app_id}  ${app.owner}  since ${timeOf(app)}  ${recordId(app)}`;
}

/** Whoever edited the store can have put a time there that no calendar has. */
function timeOf({ since }: AppOwner): string {
  const time = new Date(since);
  return Number.isNaN(time.getTime()) ? String(since) : time.toISOString();
}
