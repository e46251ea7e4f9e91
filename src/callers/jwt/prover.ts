import type { IssuerConfig } from "./issuer-config.ts";
import type { Jwt } from "./jwt.ts";

/** Proves tokens of one issuer, by its keys or by asking it. */
export interface Prover {
  /**
   * @param jwt of which `checkClaims` has nothing to say.
   * @param now ms since the epoch.
   * @returns the subject that is proved.
   * @throws {JwtRefused}
   * @throws {JwtUnavailable}
   */
  prove(jwt: Jwt, config: IssuerConfig, now: number): Promise<string>;
  /** Lets go of sockets, timers and files at once. */
  close(): Promise<void>;
}

/** What is told of a source of keys or verdicts; `issuer` is the name in the callers file. */
export interface SourceListeners {
  /** An issuer's endpoint was asked. */
  readonly onFetch?: (issuer: string, ok: boolean) => void;
  /** Something of it is in trouble; called once for each different one. The problem holds no secret. */
  readonly onFailure?: (issuer: string, problem: string) => void;
  /** All of it works again. */
  readonly onRecovered?: (issuer: string) => void;
}

/** Times in ms, and bounds; tests make them short. */
export interface Tunables {
  /** Time for one exchange with an issuer's endpoint. */
  readonly timeoutMs: number;
  /** Time between two looks at the keys while all is well. */
  readonly refreshMs: number;
  /** An unknown key is looked for once in this time. */
  readonly coolDownMs: number;
  /** For how long keys serve while newer ones cannot be had. */
  readonly keepKeysMs: number;
  /** Pause after a first failure, which doubles up to the second value. */
  readonly backOffMs: number;
  readonly maxBackOffMs: number;
  /** For how long an API server's yes and no serve. */
  readonly positiveMs: number;
  readonly negativeMs: number;
  /** Most verdicts of each kind that are kept, and most questions under way. */
  readonly maxVerdicts: number;
  readonly maxReviews: number;
  /** Time between two looks at a file. */
  readonly fileIntervalMs: number;
}

/** What is in force unless a test says otherwise. */
export const defaultTunables: Tunables = {
  timeoutMs: 5_000,
  refreshMs: 300_000,
  coolDownMs: 10_000,
  keepKeysMs: 24 * 3_600_000,
  backOffMs: 1_000,
  maxBackOffMs: 60_000,
  positiveMs: 60_000,
  negativeMs: 5_000,
  maxVerdicts: 10_000,
  maxReviews: 64,
  fileIntervalMs: 500,
};
