import { jwtVerify } from "jose";
import { requireSubject } from "./claims.ts";
import type { IssuerConfig } from "./issuer-config.ts";
import type { Jwt } from "./jwt.ts";
import type { KeySource } from "./key-set.ts";
import type { Prover } from "./prover.ts";
import { JwtRefused } from "./refused.ts";

/** Proves tokens by their signature. */
export class KeyProver implements Prover {
  readonly #keys: KeySource;

  constructor(keys: KeySource) {
    this.#keys = keys;
  }

  async prove(jwt: Jwt, config: IssuerConfig, now: number): Promise<string> {
    const key = await this.#keys.find({ algorithm: jwt.algorithm, keyId: jwt.keyId });
    // The claims are checked once more, on the bytes that were signed.
    const verified = await jwtVerify(jwt.token, key, {
      algorithms: config.algorithms,
      issuer: config.issuer,
      audience: config.audiences,
      clockTolerance: config.clock_skew_seconds,
      requiredClaims: ["exp", "sub", ...config.required_claims],
      currentDate: new Date(now),
    }).catch(() => {
      throw new JwtRefused("bad_signature");
    });
    return requireSubject(verified.payload.sub);
  }

  close(): Promise<void> {
    return this.#keys.close();
  }
}
