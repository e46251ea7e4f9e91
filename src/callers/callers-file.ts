import * as z from "zod";
import { parseRate } from "../config/rate.ts";
import type { Limit } from "../operation.ts";
import { operations, permissions } from "../operations/registry.ts";
import { apiAppIdPattern, appType, eventTypePattern } from "../operations/schemas.ts";
import { subjectPattern } from "./jwt/claims.ts";
import { issuerConfigs } from "./jwt/issuer-config.ts";
import { callerIdPattern } from "./key.ts";

const appIds = z
  .array(z.string().regex(new RegExp(apiAppIdPattern)))
  .min(1)
  // As an id, the word would pass the pattern and grant nothing.
  .refine((ids) => !ids.includes("all") && !ids.includes("own"), "write all or own by itself, not in a list");

const grant = z
  .strictObject({
    permissions: z
      .array(
        z.string().refine((name) => permissions.has(name), {
          error: (issue) =>
            `"${String(issue.input)}" is not a permission; known are ${[...permissions].join(", ")}`,
        }),
      )
      .min(1, "a grant without permissions grants nothing"),
    api_app_ids: z.union(
      [z.literal("all"), z.literal("own"), appIds],
      'must be "all", "own" or a list of app ids; quote the ids, 19 digits do not fit a number',
    ),
    app_types: z.array(z.enum(appType.enum)).min(1).optional(),
    event_types: z
      .array(z.string().regex(new RegExp(eventTypePattern)))
      .min(1)
      .optional(),
  })
  .superRefine((given, context) => {
    const limits = limitsOf(given);
    given.permissions.forEach((permission, index) => {
      if (!permissions.has(permission) || canKeepTo(permission, limits)) return;
      context.addIssue({
        code: "custom",
        path: ["permissions", index],
        message: `${permission} cannot be limited by ${limits.join(" and ")}; put it into a grant of its own`,
      });
    });
  });

const key = z.strictObject({
  sha256: z.string().regex(/^[0-9a-f]{64}$/, "must be the lower-case hex SHA-256 of the whole key"),
  expires_at: z.iso
    .datetime({ offset: true, error: "must be a time such as 2027-01-01T00:00:00Z" })
    .transform((text) => Date.parse(text))
    .optional(),
});

const subject = z
  .string()
  .regex(subjectPattern, "is not a subject that a token is taken with; see subject_prefix");
const identity = z.union(
  [
    z.strictObject({ issuer: z.string(), subject }),
    z.strictObject({
      issuer: z.string(),
      // Without an end of a word, "...:bill" would let in "...:billing" as well.
      subject_prefix: subject.regex(/[:/]$/, "must end with : or /"),
    }),
  ],
  "must be issuer and subject, or issuer and a subject_prefix that ends with : or /",
);

const rate = z.string().transform((text, context) => {
  try {
    return parseRate(text);
  } catch (error) {
    context.addIssue({ code: "custom", message: (error as Error).message });
    return z.NEVER;
  }
});

const caller = z.strictObject({
  id: z.string().regex(callerIdPattern, "must be 1 to 63 of a-z, 0-9 and -, with no - at either end"),
  keys: z.array(key).default([]),
  identities: z.array(identity).default([]),
  grants: z.array(grant).default([]),
  rate_limits: z
    .strictObject({ read: rate.optional(), write: rate.optional(), destructive: rate.optional() })
    .default({}),
  weight: z.int().min(1).max(100).default(1),
});

/** What the callers file holds: who may call, by what they prove it, and what they may do. */
export const callersFile = z.strictObject({
  issuers: issuerConfigs.default([]),
  callers: z.array(caller),
});

/** Who may call: one entry of the callers file. */
export type Caller = z.output<typeof caller>;
/** Permissions, the callback apps that they hold for, and further limits. */
export type Grant = z.output<typeof grant>;
/** Whose tokens are a caller's: those of one subject, or of all that begin alike. */
export type Identity = z.output<typeof identity>;

/** The limits that a grant has besides the apps. */
export function limitsOf(given: Pick<Grant, "app_types" | "event_types">): Limit[] {
  return (["app_types", "event_types"] as const).filter((limit) => given[limit] !== undefined);
}

function canKeepTo(permission: string, limits: readonly Limit[]): boolean {
  if (limits.length === 0) return true;
  return operations.some(
    (operation) =>
      operation.permission === permission && limits.every((limit) => operation.limits?.includes(limit)),
  );
}
