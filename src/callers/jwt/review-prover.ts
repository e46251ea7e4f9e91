import { createHash } from "node:crypto";
import { BackOff } from "./back-off.ts";
import type { Health } from "./health.ts";
import type { IssuerConfig } from "./issuer-config.ts";
import type { Jwt } from "./jwt.ts";
import type { Prover, Tunables } from "./prover.ts";
import { type JwtRefusal, JwtRefused, JwtUnavailable } from "./refused.ts";
import { readReview, type Verdict } from "./review.ts";
import { Verdicts } from "./verdicts.ts";

/** What a prover by TokenReview is made of. */
export interface ReviewProverOptions {
  /** Name of the issuer in the callers file. */
  readonly issuer: string;
  /** Posts a TokenReview and gives the reply; rejects with an Error that is safe to log. */
  readonly post: (review: unknown) => Promise<Buffer>;
  /** Ends what `post` works with. */
  readonly close: () => Promise<void>;
  readonly health: Health;
  readonly tunables: Tunables;
}

/**
 * Proves tokens by asking a Kubernetes API server, which also knows of pods and accounts that are gone. Its answers
 * serve for a short time, the good ones also while it is down; they are kept by the token's hash.
 */
export class ReviewProver implements Prover {
  readonly #options: ReviewProverOptions;
  readonly #good: Verdicts<string>;
  readonly #bad: Verdicts<JwtRefusal>;
  readonly #underWay = new Map<string, Promise<Verdict>>();
  readonly #backOff: BackOff;

  constructor(options: ReviewProverOptions) {
    const { positiveMs, negativeMs, maxVerdicts, backOffMs, maxBackOffMs } = options.tunables;
    this.#options = options;
    this.#good = new Verdicts(positiveMs, maxVerdicts);
    this.#bad = new Verdicts(negativeMs, maxVerdicts);
    this.#backOff = new BackOff(backOffMs, maxBackOffMs);
  }

  async prove({ token }: Jwt, { audiences }: IssuerConfig): Promise<string> {
    const id = createHash("sha256")
      .update(JSON.stringify([token, audiences]))
      .digest("base64");
    const now = performance.now();
    const known = this.#good.get(id, now);
    if (known !== undefined) return known;
    const refusal = this.#bad.get(id, now);
    if (refusal) throw new JwtRefused(refusal);
    const verdict = await this.#ask(id, token, audiences);
    if ("refusal" in verdict) throw new JwtRefused(verdict.refusal);
    return verdict.subject;
  }

  close(): Promise<void> {
    return this.#options.close();
  }

  /** Asks, or joins who asks the same. */
  async #ask(id: string, token: string, audiences: readonly string[]): Promise<Verdict> {
    const asked = this.#underWay.get(id);
    if (asked) return asked;
    const { issuer, health, tunables } = this.#options;
    if (this.#backOff.waitMs(performance.now()) > 0)
      throw new JwtUnavailable(issuer, health.problemOf("endpoint"));
    // Anybody can write tokens that only the API server can tell from good ones; it must not be flooded with them.
    if (this.#underWay.size >= tunables.maxReviews)
      throw new JwtUnavailable(issuer, "too many questions to the API server are under way");
    const asking = this.#review(id, token, audiences).finally(() => this.#underWay.delete(id));
    this.#underWay.set(id, asking);
    return asking;
  }

  async #review(id: string, token: string, audiences: readonly string[]): Promise<Verdict> {
    const { issuer, post, health } = this.#options;
    const beganAt = performance.now();
    try {
      const verdict = readReview(
        await post({
          apiVersion: "authentication.k8s.io/v1",
          kind: "TokenReview",
          spec: { token, audiences },
        }),
        audiences,
      );
      this.#backOff.worked();
      health.worked("endpoint");
      const now = performance.now();
      if ("refusal" in verdict) this.#bad.put(id, verdict.refusal, now);
      else this.#good.put(id, verdict.subject, now);
      return verdict;
    } catch (error) {
      const problem = (error as Error).message;
      this.#backOff.failed(beganAt, performance.now());
      health.failed("endpoint", problem);
      throw new JwtUnavailable(issuer, problem);
    }
  }
}
