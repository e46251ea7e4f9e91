import * as z from "zod";
import type { JwtRefusal } from "./refused.ts";

/** What an API server says of a token. */
export type Verdict = { readonly subject: string } | { readonly refusal: JwtRefusal };

/** The part of a TokenReview (authentication.k8s.io/v1) that counts; false and empty members may be left out. */
const review = z.object({
  kind: z.literal("TokenReview"),
  status: z.object({
    authenticated: z.boolean().default(false),
    user: z.object({ username: z.string().default("") }).default({ username: "" }),
    audiences: z.array(z.string()).default([]),
  }),
});

/**
 * Reads the reply to a TokenReview.
 * @param audiences those that were asked for. A server that knows nothing of audiences gives none back: its yes is
 *   for the audience of the API server, so a token that was stolen there would pass here.
 * @throws Error when it is none.
 */
export function readReview(reply: Buffer, audiences: readonly string[]): Verdict {
  const parsed = review.safeParse(parseJson(reply));
  if (!parsed.success) throw new Error("the reply is no TokenReview with a status");
  const { authenticated, user, audiences: confirmed } = parsed.data.status;
  if (!authenticated) return { refusal: "not_authenticated" };
  if (!confirmed.some((audience) => audiences.includes(audience))) return { refusal: "wrong_audience" };
  return { subject: user.username };
}

function parseJson(reply: Buffer): unknown {
  try {
    return JSON.parse(reply.toString());
  } catch {
    return undefined;
  }
}
