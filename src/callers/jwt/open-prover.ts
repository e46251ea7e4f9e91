import { Endpoint } from "./endpoint.ts";
import { EndpointFiles } from "./endpoint-files.ts";
import { FileKeys } from "./file-keys.ts";
import type { Health } from "./health.ts";
import type { IssuerConfig } from "./issuer-config.ts";
import { KeyProver } from "./key-prover.ts";
import { maxKeySetBytes, parseKeySet } from "./key-set.ts";
import type { Prover, Tunables } from "./prover.ts";
import { RemoteKeys } from "./remote-keys.ts";
import { ReviewProver } from "./review-prover.ts";

/** A TokenReview comes back with the token in it. */
const maxReviewBytes = 256 * 1024;

/** The part of a configuration that says how tokens are proved; with the same one the same prover may go on. */
export type ProofConfig = Pick<
  IssuerConfig,
  "name" | "jwks_uri" | "jwks_file" | "ca_file" | "bearer_token_file" | "token_review"
>;

/** @see {ProofConfig} */
export function proofConfigOf(config: IssuerConfig): ProofConfig {
  const { name, jwks_uri, jwks_file, ca_file, bearer_token_file, token_review } = config;
  return { name, jwks_uri, jwks_file, ca_file, bearer_token_file, token_review };
}

/** Makes the prover that a configuration asks for; it begins to work at once. */
export function openProver(config: ProofConfig, tunables: Tunables, health: Health): Prover {
  const { name: issuer, jwks_file, token_review } = config;
  if (jwks_file !== undefined)
    return new KeyProver(
      new FileKeys({ issuer, path: jwks_file, intervalMs: tunables.fileIntervalMs, health }),
    );
  const endpoint = new Endpoint({
    url: token_review
      ? `${token_review.api_server}/apis/authentication.k8s.io/v1/tokenreviews`
      : String(config.jwks_uri),
    files: new EndpointFiles({
      caFile: (token_review ?? config).ca_file,
      bearerTokenFile: (token_review ?? config).bearer_token_file,
      intervalMs: tunables.fileIntervalMs,
      health,
    }),
    timeoutMs: tunables.timeoutMs,
    maxReplyBytes: token_review ? maxReviewBytes : maxKeySetBytes,
  });
  const shared = { issuer, health, tunables, close: () => endpoint.close() };
  if (token_review) return new ReviewProver({ ...shared, post: (review) => endpoint.exchange(review) });
  const load = async () => parseKeySet(await endpoint.exchange());
  return new KeyProver(new RemoteKeys({ ...shared, load }));
}
