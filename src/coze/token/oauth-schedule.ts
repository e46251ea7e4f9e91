/** The part of its life after which a token is renewed, give or take half of the spread, so that replicas take turns. */
const renewAt = 0.8;
const spread = 0.06;

/** First and longest wait after failed mints, in ms: what passes by itself, and what somebody has to mend. */
const passingWait = { least: 1_000, most: 60_000 };
const lastingWait = { least: 30_000, most: 600_000 };

/** How long after it was minted a token is renewed, in ms; never so soon that mints would pile up. @param random 0 up to 1. */
export function renewAfterMs(lifeMs: number, random: number): number {
  return Math.max(passingWait.least, lifeMs * (renewAt + spread * (random - 0.5)));
}

/**
 * How long to wait after a failed mint, in ms: anything between the least and a bound that doubles.
 * @param failures how many mints in a row have failed, from 1.
 * @param random 0 up to 1.
 */
export function retryMintAfterMs(failures: number, passing: boolean, random: number): number {
  const { least, most } = passing ? passingWait : lastingWait;
  const bound = Math.min(most, least * 2 ** failures);
  return least + random * (bound - least);
}
