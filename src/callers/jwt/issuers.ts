import { isDeepStrictEqual } from "node:util";
import { checkClaims, requireSubject } from "./claims.ts";
import { Health } from "./health.ts";
import type { IssuerConfig } from "./issuer-config.ts";
import { readJwt } from "./jwt.ts";
import { openProver, type ProofConfig, proofConfigOf } from "./open-prover.ts";
import { defaultTunables, type Prover, type SourceListeners, type Tunables } from "./prover.ts";
import { JwtRefused } from "./refused.ts";

/** Who a token proves to be calling. */
export interface VerifiedIdentity {
  /** The issuer's name in the callers file. */
  readonly issuer: string;
  readonly subject: string;
  /** From when on the token is refused, the clock skew included, in ms since the epoch. */
  readonly expiresAt: number;
}

/** What is told, and what tests set. */
export interface IssuersOptions extends SourceListeners {
  readonly tunables?: Partial<Tunables>;
  /** ms since the epoch. */
  readonly now?: () => number;
}

/** A prover, and who holds on to it. */
interface Held {
  readonly proof: ProofConfig;
  readonly prover: Prover;
  readonly health: Health;
  /** Tokens that are being proved by it. */
  users: number;
  isDropped: boolean;
}

interface Entry {
  readonly config: IssuerConfig;
  readonly held: Held;
}

/** The issuers whose tokens are taken now. */
export class Issuers {
  readonly #options: IssuersOptions;
  readonly #tunables: Tunables;
  readonly #now: () => number;
  /** By the exact `iss`. Replaced whole, so a token being verified keeps the one it started with. */
  #entries: ReadonlyMap<string, Entry> = new Map();

  constructor(options: IssuersOptions = {}) {
    this.#options = options;
    this.#tunables = { ...defaultTunables, ...options.tunables };
    this.#now = options.now ?? Date.now;
  }

  /**
   * Takes these issuers in place of those before. One that is proved in the same way as before keeps its keys; one
   * that is gone is closed as soon as no token is being proved by it.
   * @param configs as `issuerConfigs` accepts them: no two with the same `issuer`.
   */
  configure(configs: readonly IssuerConfig[]): void {
    const before = [...this.#entries.values()].map(({ held }) => held);
    const entries = configs.map((config): [string, Entry] => {
      const proof = proofConfigOf(config);
      const kept = before.find((held) => isDeepStrictEqual(held.proof, proof));
      return [config.issuer, { config, held: kept ?? this.#open(proof) }];
    });
    this.#entries = new Map(entries);
    const after = new Set(entries.map(([, { held }]) => held));
    for (const held of before) if (!after.has(held)) void drop(held);
  }

  /**
   * Finds out who sends this token, by the issuers that are configured at the time of the call.
   * @throws {JwtRefused} it proves nothing: 401.
   * @throws {JwtUnavailable} nobody can tell now: 503.
   */
  async verify(token: string): Promise<VerifiedIdentity> {
    const jwt = readJwt(token);
    // What the token says of its issuer is only a hint here: keys and audiences of that one decide.
    const entry = this.#entries.get(jwt.issuer);
    if (!entry) throw new JwtRefused("unknown_issuer");
    const { config, held } = entry;
    const now = this.#now();
    const expiresAt = checkClaims(jwt, config, now);
    held.users += 1;
    try {
      const subject = requireSubject(await held.prover.prove(jwt, config, now));
      return { issuer: config.name, subject, expiresAt };
    } finally {
      held.users -= 1;
      if (held.isDropped) void drop(held);
    }
  }

  /** Names of the issuers of whose keys or verdicts something cannot be had now; what is at hand may still serve. */
  inTrouble(): string[] {
    const entries = [...this.#entries.values()];
    return entries.filter(({ held }) => held.health.isTroubled).map(({ config }) => config.name);
  }

  /** Lets go of sockets, timers and files at once. */
  async close(): Promise<void> {
    const held = [...this.#entries.values()].map((entry) => entry.held);
    this.#entries = new Map();
    await Promise.all(held.map(({ prover }) => prover.close()));
  }

  #open(proof: ProofConfig): Held {
    const health = new Health(proof.name, this.#options);
    return { proof, prover: openProver(proof, this.#tunables, health), health, users: 0, isDropped: false };
  }
}

/** Closes a prover, or leaves that to the last that uses it. */
async function drop(held: Held): Promise<void> {
  held.isDropped = true;
  if (held.users === 0) await held.prover.close();
}
