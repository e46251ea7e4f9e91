import { createHash } from "node:crypto";
import * as z from "zod";
import type { HeldToken } from "./choice.ts";

/** What may be told of the token; never its value. `GET /token` of the operators' port answers it. */
export const tokenStatus = z.object({
  /** Where tokens come from: a file, the variable, or an OAuth app. */
  source: z.string(),
  /** `missing`: there has never been one; `expired`: there is none that is still valid. */
  state: z.enum(["usable", "expired", "missing"]),
  /** Of the token in use; counted from 1 since the start. */
  generation: z.number(),
  /** The first 12 hex digits of the value's SHA-256. */
  fingerprint: z.string().optional(),
  /** Time since this process took it into use. */
  age_seconds: z.number().optional(),
  /** By Coze's clock; absent when Coze has not said. */
  expires_at: z.string().optional(),
  /** Whether Coze rejected the newest token, so that the one before is in use. */
  reverted: z.boolean(),
  /** Why the source gives nothing new at the moment. */
  trouble: z.string().optional(),
});

export type TokenStatus = Readonly<z.output<typeof tokenStatus>>;

/** What the status is made of. */
export interface StatusFacts {
  readonly source: string;
  readonly usable: boolean;
  readonly inUse: HeldToken | undefined;
  readonly ageMs: number;
  readonly reverted: boolean;
  readonly trouble: Error | undefined;
}

/** The status of a token: of its value no more than a fingerprint. */
export function statusOf({ source, usable, inUse, ageMs, reverted, trouble }: StatusFacts): TokenStatus {
  return {
    source,
    state: usable ? "usable" : inUse ? "expired" : "missing",
    generation: inUse?.generation ?? 0,
    ...(inUse && {
      fingerprint: createHash("sha256").update(inUse.value).digest("hex").slice(0, 12),
      age_seconds: Math.round(ageMs / 1000),
    }),
    ...(inUse?.expiresAt !== undefined && { expires_at: new Date(inUse.expiresAt).toISOString() }),
    reverted,
    ...(trouble && { trouble: trouble.message }),
  };
}
