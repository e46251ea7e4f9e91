import { randomBytes } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { stringify } from "yaml";
import { hashKey, mintKey } from "../callers/key.ts";
import { permissions, readAudit } from "../operations/registry.ts";
import { buildSandbox } from "./coze.ts";

/** Two callers that own what they create, as services of two teams would. */
const teams = ["orders", "billing"] as const;

/** The keys of the demo's callers: `demo` may do everything, the others what they like with apps of their own. */
export type DemoKeys = Readonly<Record<"demo" | (typeof teams)[number], string>>;

/** A running local Coze with a token for it and callers, as `serve --sandbox` needs them. */
export interface Demo {
  /** Environment for the gateway: its Coze, its token and its callers. */
  readonly environment: NodeJS.ProcessEnv;
  readonly keys: DemoKeys;
  readonly sandboxUrl: string;
  readonly close: () => Promise<void>;
}

/** Starts the local Coze on a free loopback port; token and keys are made anew each time and end with it. */
export async function startDemo(): Promise<Demo> {
  const token = `sat_sandbox_${randomBytes(24).toString("hex")}`;
  const keys = { demo: mintKey("demo"), orders: mintKey("orders"), billing: mintKey("billing") };
  const folder = await mkdtemp(join(tmpdir(), "coze-gateway-"));
  const files = { COZE_TOKEN_FILE: join(folder, "token"), CALLERS_FILE: join(folder, "callers.yaml") };
  await writeFile(files.COZE_TOKEN_FILE, token, { mode: 0o600 });
  await writeFile(files.CALLERS_FILE, demoCallers(keys), { mode: 0o600 });
  const sandbox = buildSandbox({ tokens: new Map([[token, "all"]]) });
  const close = async () => {
    await sandbox.close();
    await rm(folder, { recursive: true });
  };
  const sandboxUrl = await sandbox.listen({ host: "127.0.0.1", port: 0 }).catch(async (error) => {
    await close();
    throw error;
  });
  return {
    environment: { ...files, COZE_BASE_URL: sandboxUrl },
    keys,
    sandboxUrl,
    close,
  };
}

function demoCallers(keys: DemoKeys): string {
  const caller = (id: keyof DemoKeys, api_app_ids: "all" | "own", names: Iterable<string>) => ({
    id,
    keys: [{ sha256: hashKey(keys[id]) }],
    grants: [{ permissions: [...names], api_app_ids }],
  });
  const cozes = [...permissions].filter((name) => name !== readAudit);
  const callers = [caller("demo", "all", permissions), ...teams.map((id) => caller(id, "own", cozes))];
  return stringify({ callers });
}

/** What `npm start` prints: where things are, and commands to paste for the main jobs. */
export function demoGuide(gatewayUrl: string, { keys, sandboxUrl }: Demo): string {
  const curl = (method: string, path: string, key: string) =>
    `curl -sS -i -w '\\n' -X ${method} "${gatewayUrl}${path}" -H "Authorization: Bearer ${key}"`;
  const call = (method: string, path: string, body?: string, key = keys.demo) =>
    curl(method, `/v1/api_apps${path}`, key) +
    (body === undefined ? "" : ` -H "Content-Type: application/json" -d '${body}'`);
  const create = (name: string, key: string) => {
    const command = call("POST", "", `{"app_type":"normal","name":"${name}"}`, key);
    return `APP=$(${command}); echo "$APP"; APP=$(echo "$APP" | grep -o '"id":"[^"]*"' | cut -d '"' -f 4)`;
  };
  return `
The gateway runs against a local Coze; nothing leaves this machine.

  gateway     ${gatewayUrl}
  API docs    ${gatewayUrl}/docs
  local Coze  ${sandboxUrl}   (faults on demand: POST ${sandboxUrl}/_sandbox/faults)
  caller key  ${keys.demo}   (of "demo", who may do everything)

Paste these one after the other; the logid is in x-tt-logid and in detail.logid.

# create a callback app; its id is kept in $APP for the others
${create("my first app", keys.demo)}

# set its callback URL (the local Coze checks it, and answers its own challenge)
${call("PUT", "/$APP", `{"callback_url":"${sandboxUrl}/_sandbox/callback"}`)}

# subscribe to events
${call("POST", "/$APP/events", '{"event_types":["bot.published","bot.deleted"]}')}

# list the subscribed events
${call("GET", "/$APP/events")}

# list the callback apps
${call("GET", "?page_size=20")}

# unsubscribe from one event
${call("DELETE", "/$APP/events", '{"event_types":["bot.published"]}')}

# ask what a deletion would do: nothing is sent
${call("DELETE", "/$APP")} -H "x-gateway-dry-run: true"

# delete the app
${call("DELETE", "/$APP")}

# who did what with it: every attempt with its logid
${curl("GET", "/gateway/v1/audit/events?api_app_id=$APP", keys.demo)}

# two callers that own what they create: "orders" makes an app,
${create("of orders", keys.orders)}

# "billing" may not delete it (403), as if it did not exist,
${call("DELETE", "/$APP", undefined, keys.billing)}

# and does not find it in its list;
${call("GET", "", undefined, keys.billing)}

# its owner may
${call("DELETE", "/$APP", undefined, keys.orders)}

# who am I, what may I do, and may I delete that app?
${curl("GET", "/gateway/v1/whoami?operation=delete_api_app&api_app_id=$APP", keys.billing)}

# in another terminal: prove that nobody changed the record of it, find a call by its logid
npm run --silent audit -- verify
npm run --silent audit -- find --logid LOGID

Stop with Ctrl-C.

`;
}
