import { mintKey } from "../../src/callers/key.ts";
import type { Operation } from "../../src/operation.ts";
import { permissions } from "../../src/operations/registry.ts";
import { startGateway, startSandbox, type Teardown, type TestReply } from "../helpers/gateway.ts";

export const appId = "7612345678901234567";

/** One call as Coze documents it (callback-app-examples.json), and the raw request that must arrive at Coze for it. */
export interface Sample {
  readonly path: string;
  readonly body?: unknown;
  /** Path and query as they stand on the wire; `path` when absent. */
  readonly target?: string;
  /** Bytes of the body at Coze; none when absent. */
  readonly sent?: string;
  /** Coze's documented success. */
  readonly reply: string;
  /** A further body or query that is refused, and the field that the refusal names. */
  readonly bad: { readonly path?: string; readonly body?: unknown; readonly field: string };
}

const done = '{"code":0,"msg":"","detail":{"logid":"2026031109460077AA55CC33EE11990BDF"}}';

/** By operation id: the documented call of each. */
export const samples: Readonly<Record<string, Sample>> = {
  create_api_app: {
    path: "/v1/api_apps",
    body: { app_type: "normal", name: "gateway callback one" },
    sent: '{"app_type":"normal","name":"gateway callback one"}',
    reply:
      '{"code":0,"msg":"","data":{"id":"7612345678901234567","name":"gateway callback one","app_type":"normal",' +
      '"verify_token":"EXAMPLEverifyTOKENnotREAL0000000000000000000000000000000001"},' +
      '"detail":{"logid":"20260311094512A1B2C3D4E5F60718293A"}}',
    bad: { body: { app_type: "normal" }, field: "body.name" },
  },
  update_api_app: {
    path: `/v1/api_apps/${appId}`,
    body: {
      name: "gateway callback renamed",
      callback_url: "https://hooks.example.com/coze/7612345678901234567",
    },
    sent: '{"name":"gateway callback renamed","callback_url":"https://hooks.example.com/coze/7612345678901234567"}',
    reply: done,
    bad: { body: {}, field: "body" },
  },
  list_api_apps: {
    path: "/v1/api_apps?page_token=&page_size=2&app_type=normal",
    reply:
      '{"code":0,"msg":"","data":{"items":[{"id":"7612345678901234567","name":"gateway callback one",' +
      '"app_type":"normal","callback_url":"https://hooks.example.com/coze/7612345678901234567",' +
      '"verify_token":"EXAMPLEverifyTOKENnotREAL0000000000000000000000000000000001"}],"has_more":true,' +
      '"next_page_token":"1773193512"},"detail":{"logid":"20260311094512A1B2C3D4E5F60718293A"}}',
    bad: { path: "/v1/api_apps?page_size=51", field: "query.page_size" },
  },
  delete_api_app: {
    path: `/v1/api_apps/${appId}`,
    reply: done,
    bad: { body: {}, field: "body" },
  },
  subscribe_events: {
    path: `/v1/api_apps/${appId}/events`,
    body: { event_types: ["bot.published", "bot.deleted"] },
    sent: '{"event_types":["bot.published","bot.deleted"]}',
    reply: done,
    bad: { body: { event_types: [] }, field: "body.event_types" },
  },
  list_subscribed_events: {
    path: `/v1/api_apps/${appId}/events?page_token=&page_size=20`,
    reply:
      '{"code":0,"msg":"","data":{"items":[{"api_app_id":"7612345678901234567","name":"gateway callback one",' +
      '"event_type":"bot.published","description":"An agent was published"}],"has_more":false},' +
      '"detail":{"logid":"2026031109460077AA55CC33EE11990BDF"}}',
    bad: { path: `/v1/api_apps/${appId}/events?page_size=0`, field: "query.page_size" },
  },
  unsubscribe_events: {
    path: `/v1/api_apps/${appId}/events`,
    body: { event_types: ["bot.published"] },
    sent: '{"event_types":["bot.published"]}',
    reply: done,
    bad: { body: {}, field: "body.event_types" },
  },
};

/** The documented call of an operation; a failure here means that its sample is missing above. */
export function sampleOf(operation: Operation): Sample {
  const sample = samples[operation.id];
  if (!sample) throw new Error(`no sample of ${operation.id}`);
  return sample;
}

/** A gateway in front of a sandbox, with a caller that holds nothing and one that holds all on another app only. */
export async function start(t: Teardown, environment: NodeJS.ProcessEnv = {}) {
  const coze = await startSandbox(t);
  const keys = { idle: mintKey("idle"), narrow: mintKey("narrow") };
  const gateway = await startGateway(t, coze.url, environment, [
    { id: "idle", key: keys.idle, grants: [] },
    {
      id: "narrow",
      key: keys.narrow,
      grants: [{ permissions: [...permissions], api_app_ids: ["7600000000000000000"] }],
    },
  ]);
  return { ...gateway, sandbox: coze.sandbox, keys };
}

/** The single issue of a 400, as `path: message`; anything else shows as it is. */
export function issueOf({ status, text, body }: TestReply): string {
  const [issue, ...more] = body.gateway?.issues ?? [];
  return status === 400 && issue && more.length === 0
    ? `${issue.path}: ${issue.message}`
    : `${status} ${text}`;
}

/** Lets the next call at Coze succeed, whatever it is, without effect. */
export const success = { body: '{"code":0,"msg":""}' };
