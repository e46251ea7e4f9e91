import { randomBytes } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { stringify } from "yaml";
import { hashKey, mintKey } from "../callers/key.ts";
import { permissions } from "../operations/registry.ts";
import { buildSandbox } from "./coze.ts";

/** A running local Coze with a token for it and a demo caller, as `serve --sandbox` needs them. */
export interface Demo {
  /** Environment for the gateway: its Coze, its token and its callers. */
  readonly environment: NodeJS.ProcessEnv;
  readonly callerKey: string;
  readonly sandboxUrl: string;
  readonly close: () => Promise<void>;
}

/** Starts the local Coze on a free loopback port; token and key are made anew each time and end with it. */
export async function startDemo(): Promise<Demo> {
  const token = `sat_sandbox_${randomBytes(24).toString("hex")}`;
  const callerKey = mintKey("demo");
  const folder = await mkdtemp(join(tmpdir(), "coze-gateway-"));
  const files = { COZE_TOKEN_FILE: join(folder, "token"), CALLERS_FILE: join(folder, "callers.yaml") };
  await writeFile(files.COZE_TOKEN_FILE, token, { mode: 0o600 });
  await writeFile(files.CALLERS_FILE, demoCallers(callerKey), { mode: 0o600 });
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
    callerKey,
    sandboxUrl,
    close,
  };
}

function demoCallers(callerKey: string): string {
  const grants = [{ permissions: [...permissions], api_app_ids: "all" }];
  return stringify({ callers: [{ id: "demo", keys: [{ sha256: hashKey(callerKey) }], grants }] });
}

/** What `npm start` prints: where things are, and commands to paste for the main jobs. */
export function demoGuide(gatewayUrl: string, { callerKey, sandboxUrl }: Demo): string {
  const curl = (method: string, path: string) =>
    `curl -sS -i -w '\\n' -X ${method} "${gatewayUrl}${path}" -H "Authorization: Bearer ${callerKey}"`;
  const call = (method: string, path: string, body?: string) =>
    curl(method, `/v1/api_apps${path}`) +
    (body === undefined ? "" : ` -H "Content-Type: application/json" -d '${body}'`);
  const create = call("POST", "", '{"app_type":"normal","name":"my first app"}');
  return `
The gateway runs against a local Coze; nothing leaves this machine.

  gateway     ${gatewayUrl}
  API docs    ${gatewayUrl}/docs
  local Coze  ${sandboxUrl}   (faults on demand: POST ${sandboxUrl}/_sandbox/faults)
  caller key  ${callerKey}

Paste these one after the other; the logid is in x-tt-logid and in detail.logid.

# create a callback app; its id is kept in $APP for the others
APP=$(${create}); echo "$APP"; APP=$(echo "$APP" | grep -o '"id":"[^"]*"' | cut -d '"' -f 4)

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

# delete the app
${call("DELETE", "/$APP")}

# who did what with it: every attempt with its logid
${curl("GET", "/gateway/v1/audit/events?api_app_id=$APP")}

# in another terminal: prove that nobody changed the record of it, find a call by its logid
npm run --silent audit -- verify
npm run --silent audit -- find --logid LOGID

Stop with Ctrl-C.

`;
}
