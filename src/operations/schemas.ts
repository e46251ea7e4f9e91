import type { JsonSchema } from "../operation.ts";

/** What every id of a callback app obeys, here and in the callers file. */
export const apiAppIdPattern = "^[A-Za-z0-9_-]{1,64}$";

const apiAppIdRule = new RegExp(apiAppIdPattern);

/** True when the text is an id that a callback app can have. */
export function isApiAppId(text: string | undefined): text is string {
  return text !== undefined && apiAppIdRule.test(text);
}

/** About 19 digits, beyond 2^53, and one documented sample starts with `cli_`: an opaque string, never a number. */
export const apiAppId = {
  type: "string",
  pattern: apiAppIdPattern,
  description: "Id of the callback app: an opaque string, never a number.",
  examples: ["7512345678901234567"],
} as const satisfies JsonSchema;

/** The path parameters of an operation on one callback app. */
export const apiAppParams = {
  type: "object",
  required: ["api_app_id"],
  properties: { api_app_id: apiAppId },
} as const satisfies JsonSchema;

/** The kind of a callback app. */
export const appType = {
  type: "string",
  enum: ["normal", "connector"],
  description: "`normal` for an account's own callbacks, `connector` for a publishing channel's.",
} as const satisfies JsonSchema;

/** The query parameters of a paged list. */
export const paging = {
  page_token: {
    type: "string",
    maxLength: 1024,
    description: "Opaque `next_page_token` of the page before; empty or absent for the first page.",
  },
  page_size: { type: "integer", minimum: 1, maximum: 50, default: 50, description: "Items on a page." },
} as const satisfies JsonSchema;

/** What every event type obeys, here and in the callers file. */
export const eventTypePattern = "^[A-Za-z0-9_-]+(\\.[A-Za-z0-9_-]+)*$";

/** Coze adds types over time, so any well-formed one is forwarded. */
export const eventTypes = {
  type: "object",
  required: ["event_types"],
  additionalProperties: false,
  properties: {
    event_types: {
      type: "array",
      minItems: 1,
      maxItems: 100,
      uniqueItems: true,
      items: { type: "string", maxLength: 128, pattern: eventTypePattern },
      description:
        "Event types such as `bot.published`, `bot.deleted`, `bot.unpublished`, `benefit.usage`, " +
        "`benefit.plugin.scale.requested`, `benefit.plugin.scale.expired`. Types that Coze adds later are passed on.",
    },
  },
} as const satisfies JsonSchema;

const apiApp = {
  type: "object",
  required: ["id", "app_type", "verify_token"],
  properties: {
    id: apiAppId,
    name: { type: "string" },
    app_type: appType,
    callback_url: { type: "string" },
    connector_id: { type: "string" },
    verify_token: { type: "string", description: "Secret that signs the callbacks. Do not log it." },
  },
} as const satisfies JsonSchema;

/** `data` of create; also one item of the list. */
export const apiAppData: JsonSchema = apiApp;

/** `data` of a paged reply with these items; `next_page_token` is absent on the last page. */
export function page(items: JsonSchema): JsonSchema {
  return {
    type: "object",
    required: ["items", "has_more"],
    properties: {
      items: { type: "array", items },
      has_more: { type: "boolean" },
      next_page_token: { type: "string" },
    },
  };
}
