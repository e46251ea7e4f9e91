import type { Logger } from "pino";
import type { Caller } from "./callers-file.ts";
import { keyCredentialId } from "./key.ts";

const dayMs = 24 * 60 * 60 * 1_000;

/** Keys that end within this many days are told of. */
export const warningDays = 14;

/** A key that has an end, and how far off that is. */
export interface EndingKey {
  readonly caller: string;
  readonly credential_id: string;
  /** ms since the epoch. */
  readonly expires_at: number;
  /** Rounded up, so that a live key has at least 1; 0 once it has expired. */
  readonly days_left: number;
}

/** Where the keys of a policy are in their lives. */
export interface KeyLife {
  /** Live, but not for longer than `warningDays`. */
  readonly expiring: readonly EndingKey[];
  /** Still in the file, and refused. */
  readonly expired: readonly EndingKey[];
  /** Until the next key expires, however far off; infinite when none will. */
  readonly nextExpirySeconds: number;
}

/** Days that a key has left, as in `EndingKey`. */
export function daysLeft(expiresAt: number, now: number): number {
  return Math.max(0, Math.ceil((expiresAt - now) / dayMs));
}

/** @param now ms since the epoch. */
export function keyLifeOf(callers: readonly Caller[], now: number): KeyLife {
  const ending = callers.flatMap(({ id, keys }) =>
    keys.flatMap(({ sha256, expires_at }): EndingKey[] => {
      if (expires_at === undefined) return [];
      const credential_id = keyCredentialId(sha256);
      return [{ caller: id, credential_id, expires_at, days_left: daysLeft(expires_at, now) }];
    }),
  );
  const live = ending.filter(({ days_left }) => days_left > 0);
  return {
    expiring: live.filter(({ days_left }) => days_left <= warningDays),
    expired: ending.filter(({ days_left }) => days_left === 0),
    nextExpirySeconds: live.reduce(
      (least, { expires_at }) => Math.min(least, (expires_at - now) / 1_000),
      Number.POSITIVE_INFINITY,
    ),
  };
}

/** Tells of keys that end: of each once per day (UTC) while it lives, and once when it has expired. */
export class KeyLifeLog {
  readonly #log: Logger;
  /** The day on which a key was told of last, or that it was told of as expired. Only keys of the newest life are in. */
  #told: ReadonlyMap<string, string> = new Map();

  constructor(log: Logger) {
    this.#log = log;
  }

  /** @param now the time, in ms since the epoch, at which the life is as given. */
  tell({ expiring, expired }: KeyLife, now: number): void {
    const before = this.#told;
    const today = new Date(now).toISOString().slice(0, 10);
    this.#told = new Map([
      ...expiring.map(({ credential_id }): [string, string] => [credential_id, today]),
      ...expired.map(({ credential_id }): [string, string] => [credential_id, "expired"]),
    ]);
    for (const { credential_id, caller, expires_at, days_left } of [...expiring, ...expired]) {
      if (before.get(credential_id) === this.#told.get(credential_id)) continue;
      const about = { caller, credential_id, expires_at: new Date(expires_at).toISOString() };
      if (days_left > 0)
        this.#log.warn({ event: "key_expiring", ...about, days_left }, "a caller key expires soon");
      else this.#log.warn({ event: "key_expired", ...about }, "a caller key has expired");
    }
  }
}
