import * as z from "zod";
import { callerIdPattern } from "../key.ts";

/** Asymmetric ones only: with a symmetric one whoever can check a token could also make it. */
const algorithms = [
  "RS256",
  "RS384",
  "RS512",
  "PS256",
  "PS384",
  "PS512",
  "ES256",
  "ES384",
  "ES512",
  "EdDSA",
] as const;

const file = z.string().min(1, "must name a file").max(4096);

const text = z.string().min(1, "must not be empty").max(1024);

const secureUrl = text.refine(
  isSecureUrl,
  "must be an https:// URL (http:// on loopback only) without user and fragment",
);

/** Asks a Kubernetes API server about each token. */
const tokenReview = z.strictObject({
  /** Where `/apis/authentication.k8s.io/v1/tokenreviews` is found. */
  api_server: secureUrl
    .refine((url) => !url.includes("?"), "must not have a query")
    .transform((url) => url.replace(/\/$/, "")),
  ca_file: file.optional(),
  bearer_token_file: file.optional(),
});

/** One entry of `issuers` in the callers file: whose JWTs are taken, and how they are proved. */
export const issuerConfig = z
  .strictObject({
    name: z.string().regex(callerIdPattern, "must be 1 to 63 of a-z, 0-9 and -, with no - at either end"),
    /** The exact `iss`. */
    issuer: text,
    /** A token for any of them is taken. */
    audiences: z.array(text).min(1, "must name the audience of this gateway: a token for others is refused"),
    algorithms: z
      .array(
        z.enum(algorithms, {
          error: ({ input }) =>
            `${JSON.stringify(input)?.slice(0, 40)} is not allowed; a signature is checked with a public key by ${algorithms.join(", ")}`,
        }),
      )
      .min(1, "must name an algorithm")
      .default(["RS256"]),
    jwks_uri: secureUrl.optional(),
    ca_file: file.optional(),
    bearer_token_file: file.optional(),
    jwks_file: file.optional(),
    token_review: tokenReview.optional(),
    /** Claims that must be present, besides `exp` and `sub`. */
    required_claims: z.array(text).default([]),
    clock_skew_seconds: z
      .int("must be a whole number of seconds")
      .min(0, "must be between 0 and 300")
      .max(300, "must be between 0 and 300")
      .default(30),
  })
  .superRefine((config, context) => {
    const { jwks_uri, jwks_file, token_review, ca_file, bearer_token_file } = config;
    const refuse = (message: string) => context.addIssue({ code: "custom", message });
    if ([jwks_uri, jwks_file, token_review].filter((source) => source !== undefined).length !== 1)
      refuse("must have exactly one of jwks_uri, jwks_file and token_review");
    if (jwks_uri === undefined && (ca_file ?? bearer_token_file) !== undefined)
      refuse("ca_file and bearer_token_file go with jwks_uri; those for a token_review stand inside it");
  });

/** One issuer whose JWTs are taken. */
export type IssuerConfig = z.output<typeof issuerConfig>;

/** The whole of `issuers`: names differ, and so do issuers, as a token is told apart by its `iss` alone. */
export const issuerConfigs = z.array(issuerConfig).superRefine((configs, context) => {
  for (const field of ["name", "issuer"] as const) {
    for (const [at, config] of configs.entries()) {
      if (configs.findIndex((other) => other[field] === config[field]) === at) continue;
      context.addIssue({
        code: "custom",
        path: [at, field],
        message: "stands in the file twice",
      });
    }
  }
});

function isSecureUrl(value: string): boolean {
  const url = URL.parse(value);
  if (!url || url.hash || url.username || url.password) return false;
  const isLoopback = /^(localhost|127(\.\d+){3}|\[::1\])$/.test(url.hostname);
  return url.protocol === "https:" || (url.protocol === "http:" && isLoopback);
}
