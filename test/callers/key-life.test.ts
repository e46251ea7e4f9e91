import { pino } from "pino";
import t from "tap";
import { hashKey, keyCredentialId } from "../../src/callers/key.ts";
import { daysLeft, KeyLifeLog, keyLifeOf, warningDays } from "../../src/callers/key-life.ts";
import { parsePolicy } from "../../src/callers/policy.ts";

const now = Date.parse("2027-03-10T12:00:00.000Z");
const dayMs = 24 * 60 * 60 * 1000;

/** The callers of a file in which one caller each has keys that end so long after `now`, in ms; undefined never. */
function callers(...ends: (number | undefined)[]) {
  const file = {
    callers: ends.map((end, index) => ({
      id: `c${index}`,
      keys: [
        {
          sha256: hashKey(String(index)),
          ...(end !== undefined && { expires_at: new Date(now + end).toISOString() }),
        },
      ],
    })),
  };
  return parsePolicy(JSON.stringify(file)).callers;
}

const idOf = (index: number) => keyCredentialId(hashKey(String(index)));

/** A log, and what was logged since it was asked last. */
function listening() {
  const lines: Record<string, unknown>[] = [];
  const log = pino({ base: null, timestamp: false }, { write: (line) => void lines.push(JSON.parse(line)) });
  return { log: new KeyLifeLog(log), told: () => lines.splice(0) };
}

t.test("days are rounded up, so that a live key has one", async (t) => {
  const cases = [
    [-dayMs, 0],
    [0, 0],
    [1, 1],
    [dayMs, 1],
    [dayMs + 1, 2],
    [14 * dayMs, 14],
  ] as const;
  for (const [left, days] of cases) t.equal(daysLeft(now + left, now), days, `${left} ms`);
});

t.test("what expires soon, what has expired, and when the next one does", async (t) => {
  const limit = warningDays * dayMs;
  const life = keyLifeOf(callers(undefined, limit + 1, limit, 1000, 0, -dayMs), now);
  const key = (index: number, left: number, days_left: number) => ({
    caller: `c${index}`,
    credential_id: idOf(index),
    expires_at: now + left,
    days_left,
  });
  t.strictSame(life, {
    expiring: [key(2, limit, warningDays), key(3, 1000, 1)],
    expired: [key(4, 0, 0), key(5, -dayMs, 0)],
    nextExpirySeconds: 1,
  });
  t.equal(keyLifeOf(callers(limit * 2, limit * 3), now).nextExpirySeconds, (limit * 2) / 1000);
  for (const none of [callers(), callers(undefined, -1)]) {
    t.equal(keyLifeOf(none, now).nextExpirySeconds, Number.POSITIVE_INFINITY);
  }
});

t.test("warns of each key once a day, and once when it has expired", async (t) => {
  const { log, told } = listening();
  const policy = callers(undefined, 36 * 60 * 60 * 1000, -1, 20 * dayMs);
  const at = (hours: number) => {
    const time = now + hours * 60 * 60 * 1000;
    log.tell(keyLifeOf(policy, time), time);
    return told();
  };
  const expiring = (days_left: number) => ({
    level: 40,
    event: "key_expiring",
    caller: "c1",
    credential_id: idOf(1),
    expires_at: "2027-03-12T00:00:00.000Z",
    days_left,
    msg: "a caller key expires soon",
  });
  const expired = (index: number, expires_at: string) => ({
    level: 40,
    event: "key_expired",
    caller: `c${index}`,
    credential_id: idOf(index),
    expires_at,
    msg: "a caller key has expired",
  });
  t.strictSame(at(0), [expiring(2), expired(2, "2027-03-10T11:59:59.999Z")]);
  t.strictSame(at(0), []);
  t.strictSame(at(11.9), [], "the same day");
  t.strictSame(at(12), [expiring(1)], "the next one (UTC)");
  t.strictSame(at(35.9), []);
  t.strictSame(at(36), [expired(1, "2027-03-12T00:00:00.000Z")]);
  t.strictSame(at(24 * 4), []);
  t.strictSame(
    at(24 * 7).map(({ caller, days_left }) => [caller, days_left]),
    [["c3", 13]],
  );
});

t.test("a key that went and came back is told of again, and nothing is kept of one that went", async (t) => {
  const { log, told } = listening();
  const tell = (...ends: number[]) => {
    log.tell(keyLifeOf(callers(...ends), now), now);
    return told().length;
  };
  t.equal(tell(dayMs, -1), 2);
  t.equal(tell(), 0);
  t.equal(tell(dayMs, -1), 2);
});
